"""Measuring a network's sensitivities, and designs that judge them; resumable, in processes."""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.measurement_log import MeasurementLog
from lrmp.accuracy.lab.random_designs import draw_designs
from lrmp.accuracy.lab.subject import Factory, Subject, make_subject
from lrmp.accuracy.model.design_result import design_values, settings_of
from lrmp.accuracy.model.sensitivity_table import chip_identity, measured_terms
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.accuracy.model.table_fit import PLAIN, is_plain
from lrmp.accuracy.model.turn import Turned, line_of, turned_of, turns
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.families.precision import PRECISION as PRECISION_FAMILY
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

SplitToRun = Literal["search", "test"]
#: A design, and who picked it.
Picked = tuple[Design, list[dict[str, Any]]]

#: Seeds of the random designs: those a map is fitted to are others than those it is judged on.
FIT_SEED, JUDGE_SEED = 1, 2
FIT_DESIGNS, JUDGE_DESIGNS = 64, 100
DESIGNS_PER_JOB = 4


@dataclass(frozen=True)
class _Work:
    """What worker processes make an evaluator of."""

    factory: Factory
    processor: str
    noise_seeds: tuple[int, ...]
    chip: Accelerator | None


_work: _Work | None = None


class Measurement:
    """The measurement of one network: divergences on the search split, then random designs.

    Everything that was measured is in a log and is not measured again.

    Args:
        subject: The network and its images.
        log: The log file.
        device: Where torch computes.
        processes: Worker processes; each computes with one thread and keeps the images. With more
            than one, each makes the subject anew by its factory. (Forking this process instead
            would copy the locks of torch's threads in whatever state they are.)
        space: The knobs.
        noise_seeds: What noise is drawn from; none where no knob draws any.
        chip: The chip that effects of knobs may look at.
        family: Of the tasks that the table is for.

    Raises:
        AccuracyDataError: If worker processes cannot make the subject, the seeds are none, or the
            log is another measurement's.
    """

    def __init__(
        self,
        subject: Subject,
        log: Path,
        device: str = "cpu",
        processes: int = 1,
        space: DesignSpace = PRECISION,
        noise_seeds: Sequence[int] = (),
        chip: Accelerator | None = None,
        family: str = PRECISION_FAMILY.name,
    ) -> None:
        self.family = family
        self.subject, self._processor = subject, device
        self.processes, self.space = processes, space
        if processes > 1:
            _check_factory(subject)
        self.evaluator = NetworkEvaluator(subject, device, noise_seeds, chip)
        depends = {"network": subject.name, "protocol": subject.identity} | self.surroundings
        self.log = MeasurementLog(log, depends)

    @property
    def surroundings(self) -> dict[str, Any]:
        """What results depend on besides the subject: seeds of noise and the chip, if given."""
        evaluator, found = self.evaluator, dict[str, Any]()
        if evaluator.noise_seeds:
            found["noise_seeds"] = list(evaluator.noise_seeds)
        if evaluator.chip is not None:
            found["chip"] = chip_identity(evaluator.chip)
        return found

    def known(self) -> frozenset[Turned]:
        """Return which divergences the log holds.

        Returns:
            Layer, knobs and values of each.
        """
        return frozenset(turned_of(line) for line in self.log.results if "layer" in line)

    def _wanted(self) -> list[Turned]:
        every = list(turns(self.space))
        return [(name, *turn) for name in self.evaluator.layers for turn in every]

    def measure_divergences(self) -> None:
        """Measure what the log does not hold yet; knobs that change no network are known to."""
        stages = self.evaluator.stage_layers
        wanted, known = self._wanted(), self.known()
        silent = {knob.name for knob in self.space if not knob.changes_network}
        for turned in wanted:
            if silent.issuperset(turned[1]) and turned not in known:
                self._keep_divergence(turned, 0.0)
        known = self.known()
        done = len(known.intersection(wanted))
        with tqdm(
            total=len(wanted), initial=done, desc="sensitivities", unit="run", disable=None
        ) as bar:
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
        # Rounding can make the mean of tiny divergences negative by 1e-10.
        self.log.append(line_of(turned, float(f"{max(divergence, 0.0):.4g}")))

    def table(self) -> TableAccuracy:
        """Lay out the divergences.

        Returns:
            Their table, in nats.

        Raises:
            AccuracyTableError: If some are not measured yet.
        """
        terms = measured_terms(self.log.results, self.space, self.evaluator.layers)
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
        return self.run_designs(split, wanted, [[{"how": "random"}]] * len(wanted))

    def measure_plain(self) -> None:
        """Run the plain design on the search images, once: there maps begin."""
        plain = self.space.plain_settings(len(self.evaluator.layers))
        self.run_designs("search", plain[None], [[{"how": PLAIN}]])
        line = self._by_settings("search")[plain.tobytes()]
        if not is_plain(line):  # another search came by
            line["origins"].append({"how": PLAIN})

    def run_designs(
        self, split: SplitToRun, settings: IntArray, origins: Sequence[list[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Run designs that the log does not hold yet.

        Args:
            split: Which images.
            settings: Shape (N, L, K).
            origins: Who picked each, perhaps several, as it is written into the log.

        Returns:
            Their results, as they stand in the log; a design that was there keeps its origins.
        """
        done = self._by_settings(split)
        missing = {
            one.tobytes(): (Design(self.space, one, np.ones(len(one), np.int64)), picked)
            for one, picked in zip(settings, origins, strict=True)
            if one.tobytes() not in done
        }
        # Neighbours in this order begin alike, and what is alike runs once.
        entries = [missing[key] for key in sorted(missing)]
        jobs: list[tuple[list[Picked], SplitToRun]] = [
            (entries[at : at + DESIGNS_PER_JOB], split)
            for at in range(0, len(entries), DESIGNS_PER_JOB)
        ]
        with tqdm(
            total=len(settings),
            initial=len(settings) - len(missing),
            desc=f"{split} designs",
            disable=None,
        ) as bar:
            if self.processes > 1:
                results = self._map(_results_of_designs, jobs)
            else:
                results = (_run_designs(self.evaluator, *job) for job in jobs)
            for lines in results:
                for line in lines:
                    self.log.append(line)
                bar.update(len(lines))
        done = self._by_settings(split)
        return [done[one.tobytes()] for one in settings]

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
        assert self.subject.factory is not None
        evaluator = self.evaluator
        work = _Work(self.subject.factory, self._processor, evaluator.noise_seeds, evaluator.chip)
        with ProcessPoolExecutor(
            self.processes,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(work,),
        ) as pool:
            futures = [pool.submit(function, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _run_designs(
    evaluator: NetworkEvaluator, entries: Sequence[Picked], split: SplitToRun
) -> list[dict[str, Any]]:
    results = evaluator.evaluate_all([design for design, _ in entries], split)
    return [
        {
            "design": design_values(design.settings, design.space),
            "split": split,
            "origins": origins,
            **result.to_json(),
            "divergence": float(f"{result.divergence:.5g}"),
            "divergence_error": float(f"{result.divergence_error:.2g}"),
        }
        for (design, origins), result in zip(entries, results, strict=True)
    ]


def _check_factory(subject: Subject) -> None:
    """Check that worker processes can have the factory, and that it makes the same subject."""
    factory = subject.factory
    try:
        if factory is None or getattr(factory, "__module__", "") == "__main__":
            raise pickle.PicklingError("none that can be imported")
        pickle.dumps(factory)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AccuracyDataError(
            f"Expected a factory of {subject.name} that worker processes can import, got "
            f"{factory!r}: {error}. Give the subject factory='package.module:function', or measure "
            "with processes=1."
        ) from error
    if subject.protocol is not None:
        return
    made = make_subject(factory).identity
    if made != subject.identity:
        raise AccuracyDataError(
            f"Expected {factory!r} to make the subject that is measured, of identity "
            f"{subject.identity[:16]}..., got one of {made[:16]}.... Let it fix what it draws at "
            "random."
        )


def _start_worker(work: _Work) -> None:
    global _work
    torch.set_num_threads(1)
    _work = work


@cache  # one evaluator per process, not one per job
def _evaluator() -> NetworkEvaluator:
    assert _work is not None
    return NetworkEvaluator(
        make_subject(_work.factory), _work.processor, _work.noise_seeds, _work.chip
    )


def _divergences_of_stage(
    job: tuple[int, DesignSpace, frozenset[Turned]],
) -> list[tuple[Turned, float]]:
    return list(_evaluator().stage_divergences(*job))


def _results_of_designs(
    job: tuple[Sequence[Picked], SplitToRun],
) -> list[dict[str, Any]]:
    return _run_designs(_evaluator(), *job)
