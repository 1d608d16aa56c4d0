"""What the items of a log say, computed again."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lrmp.envs.records.record import Record
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.errors import LRMPError, RecordError
from lrmp.leaderboard.board.instances import (
    commitment,
    instance_task,
    read_settings,
    score_design,
)
from lrmp.leaderboard.board.names import split_agent
from lrmp.leaderboard.board.tracks import scores_at
from lrmp.leaderboard.entry import content_hash, replayed
from lrmp.leaderboard.log.item import Item, canonical
from lrmp.leaderboard.network_drop import network_drop
from lrmp.leaderboard.ranked_tasks import is_current
from lrmp.leaderboard.replay import replay
from lrmp.leaderboard.submission import parse_record

#: What a body that no board wrote may raise.
_FOREIGN = (
    LRMPError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
SAME_IMAGES = 2
#: Of a replay: which libraries made it is no matter.
_REPLAYED = ("claim", "test_accuracy_drop", "accuracy", "lower_bound")


@dataclass
class Contents:
    """Goes through a log.

    Attributes:
        with_replays: Whether to replay records, which takes seconds each.
        with_networks: Whether to run checked designs on their networks again, which takes minutes.
        wrong: What is wrong, a sentence each.
        replayed: Records that were replayed.
        unknown: Records of tasks that this lrmp has not, or defines otherwise.
        rescored: Evaluations of closed rounds that were scored again.
        checked: Designs that were run on their networks again.
        unproven: Finished runs of rounds that are still open: their instances are secret.
    """

    with_replays: bool = True
    with_networks: bool = False
    wrong: list[str] = field(default_factory=list)
    replayed: int = 0
    unknown: int = 0
    rescored: int = 0
    checked: int = 0
    unproven: int = 0
    _kinds: dict[int, str] = field(default_factory=dict)
    _rounds: dict[str, dict[str, Any]] = field(default_factory=dict)
    _opened: dict[str, tuple[Item, dict[str, Any]]] = field(default_factory=dict)
    _finished: dict[str, tuple[Item, dict[str, Any]]] = field(default_factory=dict)
    _secrets: dict[str, str] = field(default_factory=dict)
    _designs: dict[int, tuple[str, Record]] = field(default_factory=dict)
    _withdrawn: set[int] = field(default_factory=set)
    _doubted: dict[str, int] = field(default_factory=dict)
    _answered: set[str] = field(default_factory=set)

    def check(
        self, items: Sequence[Item], progress: Callable[[int], None] = lambda number: None
    ) -> None:
        """Check all items.

        Args:
            items: The whole log.
            progress: Called with the number of every item.
        """
        for item in items:
            try:
                self._check_item(item)
            except _FOREIGN as error:
                self._say(item, f"it is none that a board writes: {error!r}"[:300])
            self._kinds[item.number] = item.kind
            progress(item.number)
        for run, (item, body) in self._opened.items():
            try:
                self._check_instance(run, item, body)
            except _FOREIGN as error:
                self._say(item, f"its run is none that a board writes: {error!r}"[:300])
        self.unproven = sum(
            body["round"] not in self._secrets for _, body in self._finished.values()
        )

    def _check_item(self, item: Item) -> None:
        body = item.content
        if not isinstance(body, dict):
            raise TypeError("expected fields by name")
        if canonical(body) != item.body:
            self._say(item, "its body is not in canonical form")
        if check := self._checks.get(item.kind):
            check(item, body)

    @cached_property
    def _checks(self) -> dict[str, Callable[[Item, dict[str, Any]], None]]:
        """By kind; keys are checked with the signatures."""
        return {
            "agent": lambda item, body: split_agent(body["agent"]) and None,
            "design": self._check_record,
            "refused": self._check_record,
            "checked": self._check_network,
            "round-opened": self._check_round,
            "run-opened": self._check_opened,
            "run-finished": self._check_finished,
            "round-closed": self._check_closed,
            "withdrawn": self._check_withdrawn,
            "disputed": self._check_disputed,
            "answered": self._check_answered,
        }

    def _check_round(self, item: Item, body: dict[str, Any]) -> None:
        if self._rounds.setdefault(body["round"], body) is not body:
            self._say(item, f"the round {body['round']} was opened twice")

    def _check_record(self, item: Item, body: dict[str, Any]) -> None:
        record = parse_record(canonical(body["record"]))
        if content_hash(record) != body["sha256"]:
            self._say(item, "its record does not match its SHA-256")
        if item.kind == "design":
            self._designs[item.number] = body["submission"], record
        task = record.task
        if not is_current(task, record.task_fingerprint):
            self.unknown += 1
            return
        if not self.with_replays:
            return
        self.replayed += 1
        try:
            found = replayed(replay(record))
        except RecordError as error:
            if item.kind == "design":
                self._say(item, f"it was accepted, but replay refuses it: {error}")
            return
        if item.kind == "refused":
            self._say(item, "it was refused, but its replay agrees")
            return
        for name in _REPLAYED:
            if not _equal(body[name], found[name]):
                self._say(item, f"expected {name} {found[name]}, got {body[name]}")

    def _check_network(self, item: Item, body: dict[str, Any]) -> None:
        submission, record = self._designs.get(body["number"], (None, None))
        if record is None or body["submission"] != submission:
            self._say(item, f"it checks item {body['number']}, which is not that design")
            return
        if not -100 <= body["low"] <= body["drop"] <= body["high"] <= 100 or body["images"] < 1:
            self._say(item, f"expected a drop within its interval, got {body['drop']}")
        if not self.with_networks:
            return
        self.checked += 1
        try:
            found = network_drop(record)
        except RecordError as error:
            self._say(item, f"it cannot be run again: {error}")
            return
        # Machines round differently: an image or two may fall on the other side.
        near = 100 * SAME_IMAGES / found["images"]
        if body["images"] != found["images"] or abs(body["drop"] - found["drop"]) > near:
            self._say(item, f"expected a drop of {found['drop']}, got {body['drop']}")

    def _check_withdrawn(self, item: Item, body: dict[str, Any]) -> None:
        number = body["number"]
        known = self._kinds.get(number)
        if known not in ("design", "run-opened", "run-finished"):
            self._say(item, f"it withdraws item {number}, which is {known}")
        if number in self._withdrawn:
            self._say(item, f"it withdraws item {number} again")
        self._withdrawn.add(number)

    def _check_disputed(self, item: Item, body: dict[str, Any]) -> None:
        number, dispute = body["number"], body["dispute"]
        if number not in self._kinds:
            self._say(item, f"it disputes item {number}, which was not there")
        if dispute in self._doubted:
            self._say(item, "the dispute was opened before")
        self._doubted[dispute] = number
        if not body["user"] or not body["text"].strip():
            self._say(item, "nobody opened it, or with nothing to say")

    def _check_answered(self, item: Item, body: dict[str, Any]) -> None:
        dispute, verdict = body["dispute"], body["verdict"]
        if dispute not in self._doubted or dispute in self._answered:
            self._say(item, "it answers no dispute that was open")
            return
        self._answered.add(dispute)
        if verdict not in ("upheld", "dismissed"):
            self._say(item, f"expected a verdict of upheld or dismissed, got {verdict!r}")
        number = self._doubted[dispute]
        if verdict == "upheld" and number not in self._withdrawn:
            self._say(item, f"it upholds a dispute, but item {number} was not withdrawn")

    def _check_opened(self, item: Item, body: dict[str, Any]) -> None:
        name, run = body["round"], body["run"]
        if name not in self._rounds or name in self._secrets:
            self._say(item, f"the round {name} was not open")
        earlier = sum(
            (other["round"], other["agent"]) == (name, body["agent"])
            for _, other in self._opened.values()
        )
        if run in self._opened or body["instance"] != earlier:
            self._say(item, f"expected run {earlier} of {body['agent']}, got {body['instance']}")
        self._opened[run] = item, body

    def _check_finished(self, item: Item, body: dict[str, Any]) -> None:
        _, opened = self._opened.get(body["run"], (None, {}))
        for name in ("round", "agent", "instance", "fingerprint"):
            if opened.get(name) != body[name]:
                self._say(item, f"expected {name} {opened.get(name)!r}, got {body[name]!r}")
        if body["run"] in self._finished:
            self._say(item, "the run was finished before")
        found = self._rounds[body["round"]]
        if len(body["evaluations"]) > found["evaluations"]:
            self._say(item, f"expected at most {found['evaluations']} evaluations")
        scores = [score for _, score in body["evaluations"]]
        expected = scores_at(found["track"], scores, body["optimum"])
        if not _equal(body["scores"], expected):
            self._say(item, f"expected scores {expected}, got {body['scores']}")
        self._finished[body["run"]] = item, body

    def _check_closed(self, item: Item, body: dict[str, Any]) -> None:
        name = body["round"]
        if commitment(body["secret"]) != self._rounds[name]["commitment"]:
            self._say(item, "the secret is not the one whose hash was published")
        runs = {run for run, (_, opened) in self._opened.items() if opened["round"] == name}
        if missing := runs - set(self._finished):
            self._say(item, f"{len(missing)} runs were opened and are missing at the end")
        self._secrets[name] = body["secret"]

    def _check_instance(self, run: str, item: Item, body: dict[str, Any]) -> None:
        """Draw the instance of a run of a closed round again, and score all its designs again."""
        name = body["round"]
        if name not in self._secrets:
            return
        objective = self._rounds[name]["objective"]
        arguments = (self._secrets[name], name, body["agent"], body["instance"], objective)
        task = instance_task(*arguments)
        if task.fingerprint != body["fingerprint"]:
            self._say(item, "its instance is not the one of the round's secret")
            return
        if run not in self._finished:
            return
        item, body = self._finished[run]
        optimum = table_optimum(task)
        if not _equal(body["optimum"], {"value": optimum.value, "bound": optimum.bound}):
            self._say(item, f"expected an optimum of {optimum.value}, got {body['optimum']}")
        for number, (settings, score) in enumerate(body["evaluations"], start=1):
            self.rescored += 1
            found = score_design(task, read_settings(task, settings)).score
            if not _equal(score, found):
                self._say(item, f"evaluation {number}: expected score {found}, got {score}")

    def _say(self, item: Item, sentence: str) -> None:
        self.wrong.append(f"item {item.number} ({item.kind}): {sentence}")


def _equal(given: Any, expected: Any) -> bool:
    """Compare JSON: integers and texts exactly, real numbers to 1e-9, as replays do."""
    if isinstance(expected, dict):
        return (
            isinstance(given, dict)
            and set(given) == set(expected)
            and all(_equal(given[name], value) for name, value in expected.items())
        )
    if isinstance(expected, float) and type(given) in (int, float):
        return math.isclose(given, expected, rel_tol=1e-9, abs_tol=1e-9)
    return type(given) is type(expected) and bool(given == expected)
