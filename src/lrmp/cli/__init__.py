"""The command line: ``lrmp`` and ``python -m lrmp``."""

from lrmp.cli.main import main

__all__ = ["main"]
