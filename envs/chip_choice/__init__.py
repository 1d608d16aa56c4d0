"""Chip and settings together: which chip to build in an area, and what runs on it how."""
