"""The forms in which a task is played: layer by layer, at once, by refinement, by many agents."""
