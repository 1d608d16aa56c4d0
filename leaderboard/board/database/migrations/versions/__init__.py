"""A file per revision; each has its number in its name."""
