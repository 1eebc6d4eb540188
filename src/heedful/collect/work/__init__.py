"""What people are given and what they say of it: items, whose turn it is, votes, and their review."""
