"""What the desk keeps, and how it is found again: the only room that knows SQL."""
