"""Accuracy tables made true where optimisers go: solve, run the winners, fit again, repeat."""
