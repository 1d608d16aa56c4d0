"""What a task knows of accuracy: tables and light networks, NumPy alone."""
