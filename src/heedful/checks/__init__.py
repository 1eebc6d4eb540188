"""What is wrong with preference data: a linter, one file per fault."""
