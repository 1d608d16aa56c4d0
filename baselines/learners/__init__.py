"""Algorithms that train a policy."""
