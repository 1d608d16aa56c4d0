"""What makes a log somebody's: signatures, and a mirror that others may keep."""
