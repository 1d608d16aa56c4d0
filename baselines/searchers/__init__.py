"""Algorithms that search designs without a policy."""
