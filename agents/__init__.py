"""What decides: networks and policies. Agents know spaces, never environments."""
