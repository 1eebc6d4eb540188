"""What the votes tell: how far they are, how well people agree, and who needs a look."""
