"""How accurate a design is: tables and real quantised networks behind one interface."""

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel
from lrmp.accuracy.model.table import TableAccuracy

__all__ = ["AccuracyKind", "AccuracyModel", "TableAccuracy"]
