"""How large the networks of random tasks may be; registration asks, and loads nothing else."""

MAX_LAYERS = 128  # layers that observations have room for; ResNet-101 has 105
