"""CIM-AQ's policies: what they gain in both orders, and that no policy beats the optimum."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lrmp.baselines.experiments import cim_aq
from lrmp.baselines.experiments.cim_aq import Args, cim_aq_task, compare, format_page, measure
from lrmp.baselines.experiments.cim_aq_policies import (
    CONSTRAINTS,
    ORDERS,
    Policy,
    read_policies,
    row_of_layer,
)
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.errors import DesignError, RunError
from lrmp.hardware import CostModel, Design, load_network
from lrmp.hardware.families.cim_aq import cim_aq_chip

NETWORK = load_network("resnet18")
STORED = Path(__file__).parents[3] / "docs" / "results" / "cim-aq" / "comparison.json"
#: Outputs, inputs and positions of the layers, in the order of the repository's layer file
#: (lib/simulator/resnet18_layer_dimensions.yaml): down-sampling before its stage's convolutions.
LAYER_FILE = [(64, 3 * 7 * 7, 112 * 112)] + [(64, 64 * 3 * 3, 56 * 56)] * 4
for width, side in ((128, 28), (256, 14), (512, 7)):
    LAYER_FILE += [(width, width // 2, side**2), (width, width // 2 * 9, side**2)]
    LAYER_FILE += [(width, width * 9, side**2)] * 3
LAYER_FILE += [(1000, 512, 1)]
#: Speed-ups of the policies under both constraints, by cell bits and allowed drop: in the order of
#: the file, as published, and in the order of the modules.
SPEED_UPS = {
    (2, 1): (1.660, 1.638),
    (2, 5): (2.032, 1.991),
    (2, 10): (2.260, 2.329),
    (4, 1): (1.509, 1.514),
    (4, 5): (2.374, 2.339),
    (4, 10): (2.703, 2.628),
}


def looked_up(bits, cell_bits):
    """Microseconds of a policy by CIM-AQ's lookup table, row by row of its layer file."""
    total = 0.0
    for (outputs, inputs, positions), (w, a) in zip(LAYER_FILE, bits.tolist(), strict=True):
        crossbars = math.ceil(2 * outputs * math.ceil(w / cell_bits) / 256)
        crossbars *= math.ceil(inputs / 256)
        total += crossbars * 56 + positions * crossbars * a * 1.4
    return total


def random_policy(seed, constraint="both", cell_bits=4, allowed_drop=5):
    pinned, whole_cells = CONSTRAINTS[constraint]
    space = cim_aq_task(cell_bits, 1.0, whole_cells=whole_cells, pinned=pinned).space
    drawn = space.decode(space.sample(np.random.default_rng(seed), 21))
    bits = np.stack([drawn["weight_bits"], drawn["activation_bits"]], axis=1)
    return Policy(constraint, allowed_drop, cell_bits, bits)


def save(folder, policy):
    plural = "s" if policy.constraint == "both" else ""
    name = f"{policy.constraint}_constraint{plural}-acc{policy.allowed_drop:02}"
    np.save(folder / f"policy-resnet18-{name}-rcell{policy.cell_bits}.npy", policy.bits)


@pytest.fixture(scope="module")
def policies(data):
    """The folder of published policies, files of the repository jmkle/cim-aq.

    They are not lrmp's to ship, so that whoever has a clone puts them there; the stored comparison,
    which was made of them, is tested without.
    """
    folder = data / "cim-aq"
    if not folder.is_dir():
        pytest.skip(f"no policies of CIM-AQ at {folder}")
    return folder


@pytest.fixture(scope="module")
def published(policies):
    return read_policies(policies, NETWORK)


def test_orders_by_hand():
    names = [layer.name for layer in NETWORK.layers]
    assert names[5:8] == ["layer2.0.conv1", "layer2.0.conv2", "layer2.0.downsample"]
    # Of every block with down-sampling it is first, and its convolutions come one later.
    file = [0, 1, 2, 3, 4, 6, 7, 5, 8, 9, 11, 12, 10, 13, 14, 16, 17, 15, 18, 19, 20]
    assert row_of_layer(NETWORK, "file").tolist() == file
    assert row_of_layer(NETWORK, "modules").tolist() == list(range(21))
    assert (row_of_layer(NETWORK, "file") != np.arange(21)).sum() == 9
    layers = [(layer.columns, layer.rows, layer.positions) for layer in NETWORK.layers]
    assert [LAYER_FILE[row] for row in file] == layers


@pytest.mark.parametrize("cell_bits", [2, 4])
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_in_the_order_of_the_file_the_lookup_table_says_the_same(constraint, cell_bits):
    policy = random_policy(cell_bits, constraint, cell_bits)
    model = cim_aq_task(cell_bits, 1.0, whole_cells=False, pinned=False).cost_model
    names = [layer.name for layer in NETWORK.layers]
    cycles = {
        order: int(
            model.layer_cycles(model.space.encode(policy.values(NETWORK, order), names)).sum()
        )
        for order in ORDERS
    }
    assert cycles["file"] == pytest.approx(10 * looked_up(policy.bits, cell_bits), rel=1e-12)
    back = np.argsort(row_of_layer(NETWORK, "file"))  # the layers of the file's rows
    assert cycles["modules"] == pytest.approx(
        10 * looked_up(policy.bits[back], cell_bits), rel=1e-12
    )
    assert cycles["file"] != cycles["modules"]


def test_no_policy_beats_the_optimum_at_its_drop():
    policies = [random_policy(1), random_policy(2, "weight", cell_bits=2, allowed_drop=10)]
    for policy, row in zip(policies, compare(policies), strict=True):
        assert (row.cell_bits, row.constraint, row.allowed_drop) == (
            policy.cell_bits,
            policy.constraint,
            policy.allowed_drop,
        )
        assert row.gap < 1e-9
        for order in ORDERS:
            played = row.played[order]
            assert played.gain <= played.best_at_drop * (1 + 1e-12)
            # More drop allows more speed.
            assert (played.best_at_drop >= row.best) == (played.drop >= policy.allowed_drop)


def test_published_speed_ups_in_both_orders(published):
    rows = compare(policy for policy in published if policy.constraint == "both")
    found = {
        (row.cell_bits, row.allowed_drop): tuple(round(row.played[o].gain, 3) for o in ORDERS)
        for row in rows
    }
    assert found == SPEED_UPS
    for row in rows:
        for played in row.played.values():
            assert played.gain < played.best_at_drop


def test_the_published_speed_up_of_vgg16(policies):
    """The abstract's 2.48: 7494 crossbars and 4993.6 ms by the repository's own tool."""
    path = policies / "policy-vgg16-both_constraints-acc05-rcell4.npy"
    bits = np.load(path, allow_pickle=False)
    model = CostModel(load_network("vgg16"), cim_aq_chip())
    values = {"weight_bits": bits[:, 0], "activation_bits": bits[:, 1]}
    report = model.evaluate(Design.of(values))
    assert report.tiles == 7494
    assert round(1000 * report.latency_s, 1) == 4993.6
    assert round(model.baseline.latency_cycles / report.latency_cycles, 3) == 2.482


def test_published_policies_keep_their_constraints(published):
    assert len(published) == 12
    for policy in published:
        for order in ORDERS:
            task = cim_aq_task(
                policy.cell_bits, 1.0, whole_cells=policy.whole_cells, pinned=policy.pinned
            )
            names = [layer.name for layer in NETWORK.layers]
            settings = task.space.encode(policy.values(NETWORK, order), names)
            assert task.space.allows(settings).all()


@pytest.mark.skipif(not STORED.is_file(), reason="the tests run outside the repository")
def test_the_stored_comparison_is_todays():
    rows = json.loads(STORED.read_text("utf-8"))["rows"]
    assert len(rows) == 12
    both = [row for row in rows if row["constraint"] == "both"]
    for row in both:
        gains = tuple(round(row["played"][order]["gain"], 3) for order in ORDERS)
        assert gains == SPEED_UPS[row["cell_bits"], row["allowed_drop"]]
        optimum = table_optimum(cim_aq_task(row["cell_bits"], row["allowed_drop"]))
        assert row["best"] == pytest.approx(math.exp(optimum.value), rel=1e-12)
    for row in rows:
        for played in row["played"].values():
            assert played["gain"] < played["best_at_drop"]
    # Weights that fill their cells are as fast: that constraint alone costs the optimum nothing.
    best = {(r["cell_bits"], r["constraint"]): r["best"] for r in rows if r["allowed_drop"] == 5}
    for cell_bits in (2, 4):
        assert best[cell_bits, "no"] == pytest.approx(best[cell_bits, "weight"], rel=1e-12)
        assert best[cell_bits, "no"] > best[cell_bits, "both"]


def test_page_numbers_and_pictures_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(cim_aq, "CURVE", (1.0, 5.0))
    policies, out = tmp_path / "policies", tmp_path / "out"
    policies.mkdir()
    for policy in (random_policy(3), random_policy(4, "no")):
        save(policies, policy)
    (policies / "policy-vgg16-both_constraints-acc05-rcell4.npy").write_bytes(b"another network's")
    table = measure(Args(policies, out))
    document = json.loads((out / "comparison.json").read_text("utf-8"))
    assert [row["constraint"] for row in document["rows"]] == ["both", "no"]
    assert list(document["curves"]) == ["4"]
    page = (out / "comparison.md").read_text("utf-8")
    assert set(table.splitlines()) <= set(page.splitlines())
    assert "not found to hold" in page
    assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (out / "comparison.svg").read_bytes()
    assert "(judged)" in format_page(compare([random_policy(3)]), "judged")


def test_policies_that_break_their_constraints_are_refused():
    bits = random_policy(0).bits.copy()
    bits[3, 0] = 6
    with pytest.raises(DesignError, match=r"weight_bits of layer 3 .* among 4, 8; got 6"):
        compare([Policy("both", 5, 4, bits)])


def test_a_folder_without_policies_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match=r"Expected policies such as .*, got none\. Give the f"):
            read_policies(folder, NETWORK)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            np.full((20, 2), 8),
            r"Expected 21 pairs of 2 to 8 bits in .*, got int64 of shape \(20, 2",
        ),
        (np.full((21, 2), 9), r"Expected 21 pairs of 2 to 8 bits"),
        (np.full((21, 2), 8.0), r"Expected 21 pairs of 2 to 8 bits in .*, got float64"),
        (b"PK\x03\x04", r"Expected a policy in "),
        (b"\x93NUMPY" + bytes(200), r"Expected a policy in "),
        (bytes(5000), r"Expected a policy in .*4096"),
    ],
    ids=["layers", "bits", "floats", "zip", "header", "size"],
)
def test_what_is_no_policy_is_refused(content, message, tmp_path):
    path = tmp_path / "policy-resnet18-both_constraints-acc01-rcell4.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(RunError, match=message):
        read_policies(tmp_path, NETWORK)


def test_objects_are_not_unpickled(tmp_path):
    path = tmp_path / "policy-resnet18-both_constraints-acc01-rcell4.npy"
    np.save(path, np.array([[{}] * 2] * 21, dtype=object), allow_pickle=True)
    with pytest.raises(RunError, match=r"Expected a policy in .*allow_pickle"):
        read_policies(tmp_path, NETWORK)
