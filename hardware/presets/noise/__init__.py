"""Statistics of devices that chips may be built of, a TOML file each with a source per number."""
