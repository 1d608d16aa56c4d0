"""How accurate a design is: tables and real quantised networks behind one interface."""

from lrmp.envs.accuracy.model import AccuracyKind, AccuracyModel
from lrmp.envs.accuracy.table import TableAccuracy, published_table

__all__ = ["AccuracyKind", "AccuracyModel", "TableAccuracy", "published_table"]
