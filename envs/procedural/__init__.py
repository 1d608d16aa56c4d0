"""A family of random tasks: networks, chips, budgets and sensitivities like the measured ones."""
