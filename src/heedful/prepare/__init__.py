"""Steps between reading and rendering: splitting, and later removing duplicates and deriving pairs."""
