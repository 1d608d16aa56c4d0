"""Sensitivity tables, one file per network, and the designs they were fitted to and judged on."""
