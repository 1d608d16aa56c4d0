"""Environments that choose a variant of the whole design, and the settings of its layers."""
