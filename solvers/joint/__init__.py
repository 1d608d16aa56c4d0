"""The best settings and copies together, with a bound on what is possible."""
