"""The chip: tiles, converters, energies, and the presets that describe published ones."""
