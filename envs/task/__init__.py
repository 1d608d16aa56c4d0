"""Tasks: what an id stands for, how to define your own, and their certified optima."""
