"""Random damage to a line or a store: refused by RecordError, or the numbers are true."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lrmp.envs import evaluate_settings, load_task
from lrmp.errors import RecordError
from lrmp.leaderboard import Store, submit

MUTATIONS = 40
VALUES = (
    None, True, False, 0, 1, -1, 2, 8, 9, 1.0, 0.5, -0.0, 1e-9, 1e308, 2**31, 2**63, 10**19, "",
    "x", "\n", "\x00", "\ud800", "LRMP-ResNet18-v0", "LRMP-Digits-v1", [], [8], [8] * 5, {},
    {"a": 1}, [[8]],
)  # fmt: skip


def places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def change_value(line, rng):
    document = json.loads(line)
    spots = list(places(document))[1:]
    *parents, last = spots[rng.integers(len(spots))]
    target = document
    for key in parents:
        target = target[key]
    old = target[last]
    match rng.integers(5):
        case 0:
            del target[last]
        case 1 if isinstance(old, int | float):
            target[last] = old + int(rng.integers(-2, 3))
        case 2 if isinstance(old, float):
            target[last] = old * (1 + 10.0 ** -int(rng.integers(1, 16)))
        case 3 if isinstance(target, list):
            target.insert(last, old)
        case _:
            target[last] = VALUES[rng.integers(len(VALUES))]
    return json.dumps(document).encode()


def change_bytes(line, rng):
    content = bytearray(line.encode())
    for _ in range(rng.integers(1, 4)):
        position = int(rng.integers(len(content)))
        match rng.integers(4):
            case 0:
                content[position] = int(rng.integers(256))
            case 1:
                del content[position : position + int(rng.integers(1, 40))]
            case 2:
                content[position:position] = rng.bytes(int(rng.integers(1, 5)))
            case _:
                content[position] = int(rng.choice(list(b'0123456789"{}[],:-+eE.\n ')))
    return bytes(content)


@pytest.mark.long
@pytest.mark.parametrize("change", [change_value, change_bytes])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["digits_record", "resnet_record", "bold_record"])
def test_damaged_records_are_refused_or_true(request, tmp_path, write, name, change, seed):
    record = request.getfixturevalue(name)
    rng = np.random.default_rng(seed)
    refused = 0
    for number in range(MUTATIONS):
        content = change(record.to_line(), rng)
        store = tmp_path / f"{number}.sqlite"
        try:
            submit(write(content), store)
        except RecordError:
            assert not store.exists(), content
            refused += 1
            continue
        for entry in Store(store).entries():
            stored = entry.record
            task = load_task(stored.task)
            design = stored.design_for(task)
            best = evaluate_settings(task, design.settings)
            if best.score is None:
                assert stored.claim.score is None, content
            else:
                assert stored.claim.score == pytest.approx(best.score, rel=1e-9, abs=1e-9), content
            assert stored.claim.gain == pytest.approx(best.gain, rel=1e-9), content
            assert stored.claim.accuracy_drop == pytest.approx(best.accuracy_drop, abs=1e-9)
            report = task.cost_model.evaluate(design)
            assert stored.claim.latency_cycles == report.latency_cycles
            assert stored.claim.bottleneck_cycles == report.bottleneck_cycles
            assert stored.claim.tiles == report.tiles <= task.budget
    assert refused > MUTATIONS // 2


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_store_is_refused_or_what_it_shows_is_true(tmp_path, digits_replay, seed):
    path = tmp_path / "store.sqlite"
    records = [replace(digits_replay.record, seed=n) for n in range(5)]
    Store(path).add([replace(digits_replay, record=record) for record in records[:4]])
    content, whole = path.read_bytes(), {e.number: e for e in Store(path).entries()}
    rng = np.random.default_rng(seed)
    counts = {"refused": 0, "quarantined": 0}
    for number in range(100):
        damaged = bytearray(content)
        for _ in range(rng.integers(1, 5)):
            start = int(rng.integers(len(damaged) if rng.random() < 0.7 else 200))
            match rng.integers(3):
                case 0:
                    damaged[start] ^= 1 << int(rng.integers(8))
                case 1:
                    damaged[start : start + 8] = rng.bytes(8)
                case _:
                    del damaged[start : start + int(rng.integers(1, 4))]
        store = Store(tmp_path / f"{number}.sqlite", busy_timeout_s=0.0)
        store.path.write_bytes(damaged)
        try:
            contents = store.read()
        except RecordError:
            counts["refused"] += 1
            continue
        counts["quarantined"] += len(contents.quarantined)
        assert all(entry == whole[entry.number] for entry in contents.entries)
        try:
            store.add([replace(digits_replay, record=records[4])])
        except RecordError:
            continue
        assert len(store.read().entries) == len(contents.entries) + 1
    assert min(counts.values()) > 0
