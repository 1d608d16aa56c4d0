"""Studies: tasks x agents x seeds from a TOML file, run once each, and reported."""
