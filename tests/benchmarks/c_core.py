"""The oracle's algorithm in C, built where there is a compiler."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from lrmp.solvers.replication.choices import copy_table

SOURCE = Path(__file__).with_name("oracle_core.c")
COMPILERS = ("cc", "gcc", "clang")


class CoreInC:
    """Solves the latency problems of a `ReplicationBatch`."""

    def __init__(self):
        compiler = next(filter(shutil.which, COMPILERS), None)
        if compiler is None:
            raise RuntimeError(f"Expected a C compiler ({', '.join(COMPILERS)}), found none.")
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "core.so"
            flags = ["-O3", "-march=native", "-shared", "-fPIC"]
            subprocess.run([compiler, *flags, "-o", library, SOURCE, "-lm"], check=True)
            self._solve = ctypes.CDLL(library).solve_latency
        self._solve.restype = ctypes.c_int64

    def prepare(self, batch):
        """A function that solves the batch, and the copies that it fills in."""
        table = copy_table(tuple(batch.units.tolist()))
        copies = np.empty(batch.tiles.shape, np.int64)
        arrays = [
            *(table.start, table.copies, table.shares, table.step_bounds, *table.steps),
            *(table.ratios, batch.tiles, batch.cycles_per_unit),
        ]
        arrays = list(map(np.ascontiguousarray, arrays))
        sizes = [ctypes.c_int64(size) for size in copies.shape]
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]
        found, budget = copies.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(batch.budget)

        def run(kept=arrays):  # they outlive the call
            assert self._solve(*sizes, *pointers, budget, found) == 0

        return run, copies
