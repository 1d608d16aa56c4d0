"""The forms of a task: layer by layer, at once, by refinement, an agent per layer; one or many."""
