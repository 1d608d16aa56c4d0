"""What an id names: the task, how to define one, and its certified optimum."""
