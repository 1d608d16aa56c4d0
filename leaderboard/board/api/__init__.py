"""The HTTP interface: FastAPI routes that call the services, and nothing else."""
