"""Environments that choose a chip within an area, and the settings of the layers on it."""
