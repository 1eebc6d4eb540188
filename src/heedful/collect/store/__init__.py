"""Where a project is kept: the database, the log of judgements, and the rows of both as types."""
