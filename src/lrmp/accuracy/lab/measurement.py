"""Measuring a network's sensitivities, and designs that judge them; resumable, in processes."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from lrmp.accuracy.lab.evaluator import NetworkEvaluator, Turned
from lrmp.accuracy.lab.measurement_log import MeasurementLog
from lrmp.accuracy.lab.protocol import Protocol, identity
from lrmp.accuracy.lab.random_designs import draw_designs
from lrmp.accuracy.model.design_result import design_values, settings_of
from lrmp.accuracy.model.table import Axes, TableAccuracy
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

SplitToRun = Literal["search", "test"]

#: Seeds of the random designs: those a map is fitted to are others than those it is judged on.
FIT_SEED, JUDGE_SEED = 1, 2
FIT_DESIGNS, JUDGE_DESIGNS = 64, 100

_worker: NetworkEvaluator | None = None


class Measurement:
    """The measurement of one network: divergences on the search split, then random designs.

    Everything that was measured is in a log and is not measured again.

    Args:
        protocol: Weights, images and recipe.
        root: The data folder.
        log: The log file.
        device: Where torch computes.
        processes: Worker processes; each computes with one thread and keeps the images.
        space: The knobs.
    """

    def __init__(
        self,
        protocol: Protocol,
        root: Path,
        log: Path,
        device: str = "cpu",
        processes: int = 1,
        space: DesignSpace = PRECISION,
    ) -> None:
        self.protocol, self.root, self._processor = protocol, root, device
        self.processes, self.space = processes, space
        self.evaluator = NetworkEvaluator(protocol, root, device)
        self.log = MeasurementLog(
            log, {"network": protocol.network, "protocol": identity(protocol)}
        )

    def known(self) -> frozenset[Turned]:
        """Return which divergences the log holds.

        Returns:
            Layer, knob and value of each.
        """
        return frozenset(self._divergences())

    def _divergences(self) -> dict[Turned, float]:
        return {
            (r["layer"], r["knob"], r["value"]): r["divergence"]
            for r in self.log.results
            if "layer" in r
        }

    def _wanted(self) -> list[Turned]:
        return [
            (name, knob.name, value)
            for name in self.evaluator.layers
            for knob in self.space
            for value in knob.values
        ]

    def measure_divergences(self) -> None:
        """Measure what the log does not hold yet."""
        stages = self.evaluator.stage_layers
        wanted, known = self._wanted(), self.known()
        done = len(known.intersection(wanted))
        with tqdm(total=len(wanted), initial=done, desc="sensitivities", unit="run") as bar:
            if self.processes == 1:
                for index in range(len(stages)):
                    for entry in self.evaluator.stage_divergences(index, self.space, known):
                        self._keep_divergence(*entry)
                        bar.update()
                return
            jobs = [(index, self.space, known) for index in range(len(stages)) if stages[index]]
            for entries in self._map(_divergences_of_stage, jobs):
                for entry in entries:
                    self._keep_divergence(*entry)
                    bar.update()

    def _keep_divergence(self, turned: Turned, divergence: float) -> None:
        name, knob, value = turned
        # Rounding can make the mean of tiny divergences negative by 1e-10.
        kept = float(f"{max(divergence, 0.0):.4g}")
        self.log.append({"layer": name, "knob": knob, "value": value, "divergence": kept})

    def table(self) -> TableAccuracy:
        """Lay out the divergences.

        Returns:
            Their table, in nats.

        Raises:
            AccuracyTableError: If some are not measured yet.
        """
        found = self._divergences()
        terms: dict[Axes, list[list[float]]] = {
            knob.name: [
                [found.get((name, knob.name, value), np.nan) for value in knob.values]
                for name in self.evaluator.layers
            ]
            for knob in self.space
        }
        return TableAccuracy(terms, "measured in nats", is_estimate=False, space=self.space)

    def measure_designs(
        self, split: SplitToRun, count: int, seed: int, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Run random designs that the log does not hold yet.

        Args:
            split: Which images.
            count: How many designs.
            seed: Of the draw.
            limit: Run the first of them alone; they come in random order, so they are spread as
                widely. None runs all.

        Returns:
            Those that were run, as they stand in the log.

        Raises:
            AccuracyTableError: If some divergences are not measured yet.
            AccuracyDataError: If the space has not so many designs.
        """
        # Judged designs are held out: none that the map was fitted to.
        exclude = self._by_settings("search") if split == "test" else {}
        wanted = draw_designs(self.table(), count, seed, exclude.keys())[:limit]
        done = self._by_settings(split)
        jobs: list[tuple[Design, SplitToRun]] = [
            (Design(self.space, settings, np.ones(len(settings), np.int64)), split)
            for settings in wanted
            if settings.tobytes() not in done
        ]
        with tqdm(
            total=len(wanted), initial=len(wanted) - len(jobs), desc=f"{split} designs"
        ) as bar:
            if self.processes > 1:
                results = self._map(_result_of_design, jobs)
            else:
                results = (_run_design(self.evaluator, *job) for job in jobs)
            for result in results:
                self.log.append(result)
                bar.update()
        done = self._by_settings(split)
        return [done[settings.tobytes()] for settings in wanted]

    def designs(self, split: SplitToRun) -> list[dict[str, Any]]:
        """Return the results of designs of this space.

        Args:
            split: On which images.

        Returns:
            As they stand in the log.
        """
        return [
            r
            for r in self.log.results
            if r.get("split") == split and r["design"].keys() == set(self.space.names)
        ]

    def _by_settings(self, split: SplitToRun) -> dict[bytes, dict[str, Any]]:
        results = self.designs(split)
        settings = settings_of(results, self.space, self.evaluator.layers)
        return {found.tobytes(): r for found, r in zip(settings, results, strict=True)}

    def _map(self, function: Any, jobs: Iterable[Any]) -> Iterator[Any]:
        with ProcessPoolExecutor(
            self.processes,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(self.protocol, self.root, self._processor),
        ) as pool:
            futures = [pool.submit(function, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _run_design(evaluator: NetworkEvaluator, design: Design, split: SplitToRun) -> dict[str, Any]:
    result = evaluator.evaluate(design, split)
    values = asdict(result) | {"divergence": float(f"{result.divergence:.5g}")}
    return {"design": design_values(design.settings, design.space), "split": split, **values}


def _start_worker(protocol: Protocol, root: Path, device: str) -> None:
    global _worker  # one evaluator per process, not one per job
    torch.set_num_threads(1)
    _worker = NetworkEvaluator(protocol, root, device)


def _divergences_of_stage(
    job: tuple[int, DesignSpace, frozenset[Turned]],
) -> list[tuple[Turned, float]]:
    assert _worker is not None
    return list(_worker.stage_divergences(*job))


def _result_of_design(job: tuple[Design, SplitToRun]) -> dict[str, Any]:
    assert _worker is not None
    return _run_design(_worker, *job)
