"""Pictures of an episode as it goes, and videos of it."""
