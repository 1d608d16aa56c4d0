"""Accelerator presets: one TOML file per published design, a source for every number."""
