"""Timing for the page of benchmarks: processor time, which other processes disturb least."""

import os
import time
import tracemalloc
from contextlib import contextmanager
from statistics import median

VARIABLE = "LRMP_COMPILED"


@contextmanager
def method(choice):
    """Compute by one method: ``"always"`` for the compiled one, ``"never"`` for NumPy."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = choice
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def seconds(run, repeats=9, warm=1):
    """Median of the processor seconds that a call takes."""
    for _ in range(warm):
        run()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return median(taken)


def in_turn(runs, repeats=9):
    """Medians of several calls, which take turns: what disturbs one disturbs all."""
    for run in runs:
        run()
    taken = [[] for _ in runs]
    for _ in range(repeats):
        for run, own in zip(runs, taken, strict=True):
            start = time.process_time()
            run()
            own.append(time.process_time() - start)
    return list(map(median, taken))


def peak_bytes(run):
    """Most memory that Python and NumPy hold during a call, beyond what they held before."""
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def table(head, rows):
    """Format a table in Markdown; numbers after the first column stand right."""
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines)
