"""Records: one finished design as a line of JSON."""
