"""The tables and pictures of the documentation, each made by one command."""
