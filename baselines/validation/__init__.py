"""Validation: what the cost model says beside what chips and simulators published.

The cases V1 to V13 are those that the project set itself; the named ones are what else the presets
allow to compare. Nothing is fitted here: every figure of the model comes from a preset, the cost
model and the solvers. Where a published figure went into a preset, the basis of the case says so.
"""

from lrmp.baselines.validation.case import ValidationCase, format_cases
from lrmp.baselines.validation.cases import CASES, run_case, run_validation

__all__ = ["CASES", "ValidationCase", "format_cases", "run_case", "run_validation"]
