"""Wrappers of environments: the constraints of other searches, and a log of designs."""

from lrmp.envs.wrappers.budget_projection import BudgetProjection
from lrmp.envs.wrappers.cell_width_weights import CellWidthWeights
from lrmp.envs.wrappers.hybrid_actions import HybridActions
from lrmp.envs.wrappers.pin_first_last import PinFirstLast
from lrmp.envs.wrappers.record_designs import RecordDesigns, best_line
from lrmp.envs.wrappers.setting_choice import SettingChoice

__all__ = [
    "BudgetProjection",
    "CellWidthWeights",
    "HybridActions",
    "PinFirstLast",
    "RecordDesigns",
    "SettingChoice",
    "best_line",
]
