"""Measuring a network's sensitivities, and designs that judge them; resumable, in processes."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.accuracy.lab.evaluator import OPERANDS, NetworkEvaluator
from lrmp.accuracy.lab.measurement_log import MeasurementLog
from lrmp.accuracy.lab.protocol import Protocol, identity
from lrmp.accuracy.lab.random_designs import draw_designs
from lrmp.accuracy.model.design_result import design_bits, design_text
from lrmp.hardware.space.design import BIT_WIDTHS, MIN_BITS

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
    """

    def __init__(
        self,
        protocol: Protocol,
        root: Path,
        log: Path,
        device: str = "cpu",
        processes: int = 1,
    ) -> None:
        self.protocol, self.root, self._processor = protocol, root, device
        self.processes = processes
        self.evaluator = NetworkEvaluator(protocol, root, device)
        self.log = MeasurementLog(
            log, {"network": protocol.network, "protocol": identity(protocol)}
        )

    def known(self) -> frozenset[tuple[str, str, int]]:
        """Return which divergences the log holds.

        Returns:
            Layer, operand and bits of each.
        """
        return frozenset(
            (r["layer"], r["operand"], r["bits"]) for r in self.log.results if "layer" in r
        )

    def measure_divergences(self) -> None:
        """Measure what the log does not hold yet."""
        stages = self.evaluator.stage_layers
        layers = [name for names in stages for name in names]
        total = len(layers) * len(OPERANDS) * len(BIT_WIDTHS)
        known = self.known()
        with tqdm(total=total, initial=len(known), desc="sensitivities", unit="run") as bar:
            if self.processes == 1:
                for index in range(len(stages)):
                    for entry in self.evaluator.stage_divergences(index, known):
                        self._keep_divergence(entry)
                        bar.update()
                return
            jobs = [(index, known) for index in range(len(stages)) if stages[index]]
            for entries in self._map(_divergences_of_stage, jobs):
                for entry in entries:
                    self._keep_divergence(entry)
                    bar.update()

    def _keep_divergence(self, entry: tuple[str, str, int, float]) -> None:
        name, operand, bits, divergence = entry
        # Rounding can make the mean of tiny divergences negative by 1e-10.
        value = float(f"{max(divergence, 0.0):.4g}")
        self.log.append({"layer": name, "operand": operand, "bits": bits, "divergence": value})

    def tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lay out the divergences.

        Returns:
            Weight and activation tables, shape (L, 7) each.
        """
        place = {name: index for index, name in enumerate(self.evaluator.layers)}
        tables = np.full((2, len(place), len(BIT_WIDTHS)), np.nan)
        for result in self.log.results:
            if "layer" in result:
                operand = OPERANDS.index(result["operand"])
                tables[operand, place[result["layer"]], result["bits"] - MIN_BITS] = result[
                    "divergence"
                ]
        return tables[0], tables[1]

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
        """
        # Judged designs are held out: none that the map was fitted to.
        fitted = {r["design"] for r in self.log.results if r.get("split") == "search"}
        exclude = fitted if split == "test" else frozenset()
        designs = draw_designs(*self.tables(), count, seed, exclude)
        done = {r["design"] for r in self.log.results if r.get("split") == split and "design" in r}
        wanted = [design_text(bits) for bits in designs][:limit]
        jobs: list[tuple[str, SplitToRun]] = [(text, split) for text in wanted if text not in done]
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
        by_text = {r["design"]: r for r in self.log.results if r.get("split") == split}
        return [by_text[text] for text in wanted]

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


def _run_design(evaluator: NetworkEvaluator, text: str, split: SplitToRun) -> dict[str, Any]:
    result = evaluator.evaluate(*design_bits(text), split)
    values = asdict(result) | {"divergence": float(f"{result.divergence:.5g}")}
    return {"design": text, "split": split, **values}


def _start_worker(protocol: Protocol, root: Path, device: str) -> None:
    global _worker  # one evaluator per process, not one per job
    torch.set_num_threads(1)
    _worker = NetworkEvaluator(protocol, root, device)


def _divergences_of_stage(
    job: tuple[int, frozenset[tuple[str, str, int]]],
) -> list[tuple[str, str, int, float]]:
    assert _worker is not None
    return list(_worker.stage_divergences(*job))


def _result_of_design(job: tuple[str, SplitToRun]) -> dict[str, Any]:
    assert _worker is not None
    return _run_design(_worker, *job)
