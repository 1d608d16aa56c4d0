import json
import re
import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from lrmp.cli import main
from lrmp.hardware import (
    NETWORKS,
    CostModel,
    Design,
    Layer,
    Network,
    list_presets,
    load_network,
    load_preset,
    read_preset,
)
from lrmp.hardware.chip.accelerator import PARAMETERS, RARE
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.chip.preset import preset_title
from lrmp.install_command import install_command

LRMP = "lrmp_frontiers_2024"
ACTIONS = ("list", "show", "compare", "cost", "validate")
TEMPLATE = Path(__file__).parents[2] / "docs" / "hardware" / "own-chip.toml"

needs_checkout = pytest.mark.skipif(
    not TEMPLATE.exists(), reason="the tests run outside the repository"
)


def run(capsys, *words):
    """Run a command that must succeed, and return what it printed."""
    assert main(["hardware", *words]) == 0
    return capsys.readouterr().out


def run_json(capsys, *words):
    return json.loads(run(capsys, *words, "--json"))


def refused(capsys, *words):
    """Run a command that must be refused, and return the message."""
    assert main(["hardware", *words]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def chip_file(folder, name="chip", **changes):
    """Write LRMP's chip without energies and areas, with some parameters changed."""
    parameters = load_preset(LRMP).parameters | changes
    entries = [
        f'{key} = {{ value = {json.dumps(value)}, status = "assumed", source = "test of {key}" }}'
        for key, value in parameters.items()
    ]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(['title = "any"', "[parameters]", *entries]), encoding="utf-8")
    return str(path)


@pytest.fixture
def tiny(tmp_path):
    """A file that makes a network of two layers, without torch."""
    path = tmp_path / "tiny.py"
    path.write_text(
        "from lrmp.hardware import Layer, Network\n"
        "from sizes import CLASSES\n"
        "print('loading')\n"
        "def make():\n"
        "    layers = (Layer.conv2d('conv', 3, 8, 3, 16), Layer.linear('fc', 2048, CLASSES))\n"
        "    return Network('tiny', layers)\n"
        "made = make()\n"
        "def fails():\n"
        "    raise RuntimeError('no weights here')\n"
        "def number():\n"
        "    return 3\n"
    )
    (tmp_path / "sizes.py").write_text("CLASSES = 10\n")
    return str(path)


TINY = Network("tiny", (Layer.conv2d("conv", 3, 8, 3, 16), Layer.linear("fc", 2048, 10)))


def test_hardware_alone_names_its_commands(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["hardware"])
    assert exit_.value.code == 2
    with pytest.raises(SystemExit) as exit_:
        main(["hardware", "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert all(action in text for action in ACTIONS)
    assert "Exit codes" in text


@pytest.mark.parametrize("action", ACTIONS)
def test_help_of_every_command(capsys, action):
    with pytest.raises(SystemExit) as exit_:
        main(["hardware", action, "--help"])
    assert exit_.value.code == 0
    assert f"usage: lrmp hardware {action}" in capsys.readouterr().out


class TestList:
    def test_one_line_per_preset(self, capsys):
        lines = run(capsys, "list").splitlines()[1:]
        assert [line.split()[0] for line in lines] == list_presets()
        for line, name in zip(lines, list_presets(), strict=True):
            chip = load_preset(name)
            assert line.endswith(preset_title(name))
            assert f"{chip.crossbar_rows} x {chip.crossbar_columns}" in line
            assert f"{chip.cell_bits} b" in line
            assert (f"{chip.adc_bits} b" if chip.adc != "none" else " - ") in line

    def test_says_what_is_known(self, capsys):
        rows = {row["preset"]: row for row in run_json(capsys, "list")}
        assert list(rows) == list_presets()
        assert rows[LRMP] == {
            "preset": LRMP,
            "title": preset_title(LRMP),
            "technology_nm": 32,
            "crossbar_rows": 256,
            "crossbar_columns": 256,
            "cell_bits": 1,
            "adc_bits": 4,
            "active_rows": 9,
            "tiles": 5688,
            "known": {"energy": True, "area": True},
        }
        for name, row in rows.items():
            chip = load_preset(name)
            known = {"energy": chip.energy is not None, "area": chip.components != ()}
            assert row["known"] == known


class TestShow:
    @pytest.mark.parametrize("name", list_presets())
    def test_every_number_with_its_source(self, capsys, name):
        chip = load_preset(name)
        sheet = run_json(capsys, "show", name)
        given = [key for key in PARAMETERS if key in chip.provenance]
        assert list(sheet["parameters"]) == given
        for key, entry in sheet["parameters"].items():
            value = getattr(chip, key)
            assert entry["value"] == (list(value) if isinstance(value, tuple) else value)
            origin = chip.provenance[key]
            assert (entry["status"], entry["source"]) == (origin.status, origin.source)
        if chip.energy is None:
            assert sheet["energy"] is None
        else:
            assert {key: entry["value"] for key, entry in sheet["energy"].items()} == (
                asdict(chip.energy)
            )
        assert list(sheet["components"]) == [c.name for c in chip.components]
        assert sheet["title"] == preset_title(name)
        text = run(capsys, "show", name)
        names = [*given, *(EVENTS if chip.energy else ()), *sheet["components"]]
        assert all(f"\n{key} " in text for key in names)
        squeezed = " ".join(text.split())
        assert " ".join(chip.provenance["crossbar_rows"].source.split()) in squeezed

    def test_every_number_but_counts_has_its_unit(self, capsys):
        sheet = run_json(capsys, "show", LRMP)
        assert {key for key, entry in sheet["parameters"].items() if not entry["unit"]} == {
            "crossbar_rows",
            "crossbar_columns",
            "active_rows",
            "active_columns",
            "columns_per_adc",
            "slice_placement",
            "weight_encoding",
            "reference_columns",
            "adc",
            "shared_work",
            "weight_loading",
            "dynamic_matmul",
            "tiles",
            "tiles_per_core",
            "idle_power",
            "output_path",
            "overlap",
        }
        assert {entry["unit"] for entry in sheet["energy"].values()} == {
            "fJ",
            "fJ/bit",
            "fJ/(bit hop)",
        }

    def test_derived_numbers(self, capsys):
        chip = load_preset(LRMP)
        derived = run_json(capsys, "show", LRMP)["derived"]
        assert derived["adc_bits"] == 4
        assert derived["adc_is_lossy"] is False
        assert derived["read_and_convert_cycles"] == 8
        assert derived["mvm_cycles_8_bit"] == 8 * 29 * 8
        assert derived["noc_hops"] == chip.noc_hops
        # 256 x 256 weights of 8 slices, 8 input bits, 29 row groups of 8 cycles at 192 MHz.
        peak = 2 * 256 * 256 / 8 * 192e6 / (8 * 29 * 8)
        assert derived["peak_tile_ops_per_s_8_bit"] == pytest.approx(peak)
        assert derived["chip_area_mm2"] == sum(chip.area_um2(5688).values()) * 1e-6
        assert derived["peak_power_w"] is None  # not published
        text = run(capsys, "show", LRMP)
        assert "4 bits, lossless: 4 bits lose nothing" in text
        assert "peak of 5,688 tiles, 8/8 bits" in text

    def test_lossy_adc(self, capsys):
        assert "8 bits, lossy: 9 bits lose nothing" in run(capsys, "show", "isaac_isca_2016")

    def test_file_of_an_unfinished_chip(self, capsys, tmp_path):
        text = run(capsys, "show", chip_file(tmp_path, tiles=0, technology_nm=0))
        assert text.startswith("chip\n")
        assert "test of clock_mhz" in text
        assert "\nenergy not known\n" in text
        assert "\narea and leakage not known\n" in text
        assert "peak of one tile" in text
        assert "peak of 0 tiles" not in text

    def test_unknown_preset(self, capsys):
        message = refused(capsys, "show", "lrmp_frontiers_2023")
        assert "Did you mean 'lrmp_frontiers_2024'?" in message

    def test_missing_file(self, capsys):
        assert "Expected a readable preset at absent.toml" in refused(capsys, "show", "absent.toml")


class TestCompare:
    def test_one_line_per_preset(self, capsys):
        lines = run(capsys, "compare", "--network", "resnet18").splitlines()
        assert lines[0].startswith("resnet18: 21 layers, 1.814 GMAC; weight bits 8, act")
        assert [line.split()[0] for line in lines[3 : 3 + len(list_presets())]] == list_presets()

    def test_numbers_are_those_of_the_cost_model(self, capsys):
        rows = run_json(capsys, "compare", LRMP, "--network", "resnet18")
        chip = load_preset(LRMP)
        baseline = CostModel(load_network("resnet18"), chip).baseline
        (row,) = rows
        assert row["accelerator"] == LRMP
        assert row["tiles"] == row["budget_tiles"] == 1608
        assert row["latency_s"] == baseline.latency_s
        assert row["throughput_per_s"] == baseline.throughput_per_s
        assert row["energy_j"] == baseline.energy_j
        assert row["area_mm2"] == sum(chip.area_um2(1608).values()) * 1e-6
        macs = load_network("resnet18").macs
        assert row["tops_per_w"] == pytest.approx(2 * macs / baseline.energy_j * 1e-12)
        assert row["edp_js"] == pytest.approx(baseline.energy_j * baseline.latency_s)
        text = run(capsys, "compare", LRMP)
        for figure in ("248.6", "15.7", "52.81", "1,608"):
            assert figure in text

    def test_what_is_not_known_has_a_footnote(self, capsys, tmp_path):
        path = chip_file(tmp_path)
        text = run(capsys, "compare", LRMP, path, "--network", "digits_cnn")
        row, *notes = text.splitlines()[4:]
        assert row.split() == ["chip", "56", "1", "584.4", "2.841", "-", "-", "-", "-", "1", "2"]
        assert notes == ["  1 energy not known", "  2 area not known"]
        rows = run_json(capsys, "compare", path, "--network", "digits_cnn")
        assert rows[0]["energy_j"] is rows[0]["area_mm2"] is rows[0]["edp_js"] is None
        assert rows[0]["notes"] == ["energy not known", "area not known"]

    def test_settings(self, capsys):
        words = ("compare", LRMP, "--set", "weight_bits=4", "--set", "activation_bits=5")
        assert run_json(capsys, *words)[0]["tiles"] == 804

    def test_two_chips_of_one_name(self, capsys, tmp_path):
        path = chip_file(tmp_path, LRMP)
        message = refused(capsys, "compare", LRMP, path)
        assert f"Expected chips of different names, got {LRMP!r} twice. Rename" in message


class TestCost:
    def test_best_uniform_width_of_the_leaderboard(self, capsys):
        words = ("cost", "resnet18", "--budget", "1608", "--set", "weight_bits=5", "--set")
        document = run_json(capsys, *words, "activation_bits=5")
        assert document["latency_cycles"] == 7823672
        assert document["proven_optimal"] is True
        assert document["budget_tiles"] == 1608
        assert sum(layer["cycles"] for layer in document["layers"]) == document["latency_cycles"]
        assert sum(layer["tiles"] for layer in document["layers"]) == document["tiles"]
        energy = sum(layer["energy_fj"] for layer in document["layers"])
        assert energy == sum(document["energy_breakdown_fj"].values())
        assert document["energy_j"] == pytest.approx(energy * 1e-15)
        assert sum(document["cycle_breakdown"].values()) == document["latency_cycles"]
        assert sum(document["area_um2"].values()) * 1e-6 == document["area_mm2"]
        text = run(capsys, *words, "activation_bits=5")
        assert "6.10x" in text
        assert "optimal copies" in text
        assert all(layer.name in text for layer in load_network("resnet18").layers)

    def test_budget_is_the_chips_own_tiles(self, capsys):
        document = run_json(capsys, "cost", "resnet18")
        assert document["budget_tiles"] == 5688
        assert document["notes"] == []
        assert (
            document["latency_s"] < run_json(capsys, "cost", "resnet18", "--one-copy")["latency_s"]
        )

    def test_throughput(self, capsys):
        words = ("cost", "resnet18", "--budget", "3000")
        latency = run_json(capsys, *words)
        throughput = run_json(capsys, *words, "--objective", "throughput")
        assert throughput["throughput_per_s"] > latency["throughput_per_s"]
        assert throughput["latency_s"] > latency["latency_s"]

    def test_one_copy(self, capsys):
        document = run_json(capsys, "cost", "resnet18", "--one-copy")
        assert document["design"]["replication"] == [1] * 21
        assert document["tiles"] == document["budget_tiles"] == 1608
        assert document["latency_cycles"] == 47735912
        assert document["proven_optimal"] is None
        assert "one copy of every layer" in run(capsys, "cost", "resnet18", "--one-copy")

    def test_network_too_large_for_the_chip(self, capsys):
        words = ("cost", "resnet101", "--preset", "pimcomp_2023")
        document = run_json(capsys, *words)
        assert document["tiles"] == document["budget_tiles"] == 10884
        assert document["design"]["replication"] == [1] * 105
        note = document["notes"][0]
        assert note.startswith("needs 10,884 tiles of 2,304: costed as a larger chip with one copy")
        turns = run_json(capsys, *words, "--time-multiplexed")
        assert turns["budget_tiles"] == turns["tiles"] == 2304
        assert f": {1e3 * turns['latency_s']:.3f} ms with their writing" in note
        assert turns["notes"][0].startswith("the layers take turns")

    def test_unknown_time_of_writing_is_not_taken_for_none(self, capsys):
        words = ("cost", "resnet18", "--preset", "hermes_2023")
        (note,) = run_json(capsys, *words)["notes"]
        assert note.endswith("but the time of writing them is not known (write_cycles 0)")
        turns = run_json(capsys, *words, "--time-multiplexed")
        assert "a lower bound: the time of writing is not known (write_cycles 0)" in turns["notes"]

    @pytest.mark.parametrize("objective", ["energy", "edp"])
    def test_energy_objectives(self, capsys, objective):
        words = ("cost", "resnet18", "--budget", "1700", "--objective")
        best = run_json(capsys, *words, objective)
        fastest = run_json(capsys, *words, "latency")
        assert best["energy_j"] <= fastest["energy_j"]
        assert best["edp_js"] <= fastest["edp_js"] or objective == "energy"
        assert best["proven_optimal"] is True

    def test_fast_copies_in_turns_are_not_called_the_best_for_energy(self, capsys):
        words = ("cost", "lenet", "--time-multiplexed", "--objective", "energy")
        assert run_json(capsys, *words)["proven_optimal"] is False
        assert "fast copies\n" in run(capsys, *words)

    def test_larger_chip_has_the_longer_ways(self, capsys, tmp_path):
        path = chip_file(tmp_path, tiles=4, noc_bits_per_cycle=64, noc_hop_cycles=3)
        words = ("cost", "resnet18", "--preset", path, "--one-copy")
        larger = run_json(capsys, *words)["latency_cycles"]
        chip = read_preset(Path(path))
        own = CostModel(load_network("resnet18"), chip).baseline.latency_cycles
        assert larger > own

    def test_copies_in_turns_are_the_best_there_are(self, capsys, tmp_path, tiny):
        path = chip_file(tmp_path, tiles=100, weight_loading="time-multiplexed", write_cycles=50)
        words = ("cost", f"{tiny}:make", "--preset", path)
        document = run_json(capsys, *words)
        model = CostModel(TINY, read_preset(Path(path)))
        tiles = model.tiles_per_copy(Design.plain(2).settings)
        for index, layer in enumerate(document["layers"]):
            cycles = {}
            for copies in range(1, max(1, 100 // int(tiles[index])) + 1):
                replication = np.ones(2, dtype=np.int64)
                replication[index] = copies
                design = Design.of({}, replication)
                cycles[copies] = int(model.evaluate(design).layer_cycles[index])
            assert layer["cycles"] == min(cycles.values())
            assert layer["copies"] == min(cycles, key=cycles.__getitem__)
        assert document["proven_optimal"] is True

    def test_chip_without_a_number_of_tiles(self, capsys, tmp_path):
        path = chip_file(tmp_path, tiles=0)
        document = run_json(capsys, "cost", "digits_cnn", "--preset", path)
        assert "its number of tiles is not known" in document["notes"][0]
        assert document["design"]["replication"] == [1] * 5
        document = run_json(capsys, "cost", "digits_cnn", "--preset", path, "--budget", "100")
        assert max(document["design"]["replication"]) > 1
        message = refused(capsys, "cost", "digits_cnn", "--preset", path, "--time-multiplexed")
        assert "'time-multiplexed' to give its tiles, got 0" in message

    def test_what_is_not_known_is_left_out_of_the_totals(self, capsys, tmp_path):
        text = run(capsys, "cost", "digits_cnn", "--preset", chip_file(tmp_path))
        totals = text.split("\n\n")[1]
        for quantity in ("energy (", "area (", "energy  ", "area  ", "efficiency", "EDP"):
            assert quantity not in text
        assert totals.endswith("  note: energy not known\n  note: area not known\n")

    def test_several_chips_have_a_line_each(self, capsys, tmp_path):
        path = chip_file(tmp_path)
        words = ("cost", "lenet", "--preset", "all", "--preset", path)
        lines = run(capsys, *words).splitlines()
        assert lines[0].startswith("lenet: 4 layers")
        names = [*list_presets(), "chip"]
        assert [line.split()[0] for line in lines[3 : 3 + len(names)]] == names
        rows = run_json(capsys, *words)
        assert [row["accelerator"] for row in rows] == names
        assert all(row["latency_s"] > 0 for row in rows)

    def test_chip_that_cannot_run_the_network_does_not_stop_the_others(self, capsys):
        words = ("cost", "vit_b_32", "--preset", "neurram_nature_2022", "--preset", LRMP)
        rows = run_json(capsys, *words)
        assert rows[0].keys() == {"accelerator", "error"}
        assert "to have a digital unit" in rows[0]["error"]
        assert rows[1]["latency_s"] > 0
        text = run(capsys, *words)
        assert "Expected the accelerator to have a digital unit for layer" in text
        message = refused(capsys, "cost", "vit_b_32", "--preset", "neurram_nature_2022")
        assert "Expected accelerator 'neurram_nature_2022' to have a digital unit" in message

    def test_layers_off_the_crossbars_have_one_copy(self, capsys):
        document = run_json(capsys, "cost", "vit_b_32", "--budget", "11000")
        on_digital = [layer for layer in document["layers"] if layer["kind"] == "matmul"]
        assert on_digital
        assert {(layer["tiles"], layer["copies"]) for layer in on_digital} == {(0, 1)}
        assert document["proven_optimal"] is True

    @pytest.mark.parametrize("name", NETWORKS)
    def test_every_network_is_costed_on_lrmps_chip(self, capsys, name):
        document = run_json(capsys, "cost", name, "--one-copy")
        assert len(document["layers"]) == len(load_network(name))


class TestNetworkArgument:
    def test_factory_in_a_file(self, capsys, tiny):
        document = run_json(capsys, "cost", f"{tiny}:make", "--one-copy")
        assert document["network"] == "tiny"
        expected = CostModel(TINY, load_preset(LRMP)).baseline
        assert document["latency_cycles"] == expected.latency_cycles

    def test_what_the_file_prints_is_no_output(self, capsys, tiny):
        assert main(["hardware", "cost", f"{tiny}:make", "--json"]) == 0
        output = capsys.readouterr()
        assert json.loads(output.out)["network"] == "tiny"
        assert output.err == "loading\n"

    def test_import_path_is_left_as_it_was(self, capsys, tiny):
        before = list(sys.path)
        run(capsys, "cost", f"{tiny}:make")
        assert sys.path == before

    def test_network_need_not_be_a_function(self, capsys, tiny):
        assert run_json(capsys, "cost", f"{tiny}:made")["network"] == "tiny"

    def test_factory_in_a_module_of_the_working_directory(self, capsys, tiny, monkeypatch):
        monkeypatch.chdir(Path(tiny).parent)
        document = run_json(capsys, "cost", "tiny:make")
        sys.modules.pop("tiny")
        sys.modules.pop("sizes")
        assert document["network"] == "tiny"

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["resnet19"], r"got 'resnet19'. Did you mean 'resnet18'\? Your own: file.onnx, or"),
            (["FILE"], "Expected network to be one of .* Your own: "),
            (["absent.py:make"], "Expected a Python file at absent.py, got none."),
            (["no_such_module:make"], "ModuleNotFoundError: No module named 'no_such_module'."),
            (["FILE:mak"], "got no 'mak' there. Did you mean 'make'?"),
            (["FILE:fails"], "to make a network, got RuntimeError: no weights here."),
            (["FILE:number"], "to make a torch.nn.Module or an lrmp.hardware.Network, got int."),
            (["FILE:make", "--input-shape", "1,3"], "Expected no input shapes for"),
            (["lenet", "--input-shape", "1,3"], "Expected no input shapes for lenet"),
            (["FILE:number", "--input-shape", "1,x"], "Expected --input-shape as sizes, such as"),
            (["FILE:number", "--input-shape", "1,0"], "as sizes, such as 1,3,224,224; got '1,0'."),
            (["FILE:number", "--input-shape", "1:int46"], "Did you mean 'int64'?"),
            (["absent.onnx", "--input-shape", "1,3"], "with the name of the input for an ONNX"),
        ],
    )
    def test_bad_network_is_refused(self, capsys, tiny, words, message):
        words = [word.replace("FILE", tiny) for word in words]
        text = refused(capsys, "cost", *words).removeprefix("loading\n")
        pattern = message if "\\" in message or ".*" in message else re.escape(message)
        assert re.search(pattern, text)


class TestTorch:
    @pytest.fixture
    def module(self, tmp_path):
        path = tmp_path / "module.py"
        path.write_text(
            "import torch\n"
            "from torch import nn\n"
            "class Net(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.conv = nn.Conv2d(3, 8, 3, padding=1)\n"
            "        self.fc = nn.Linear(2048, 10)\n"
            "    def forward(self, image):\n"
            "        return self.fc(torch.relu(self.conv(image)).flatten(1))\n"
            "class Words(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.embed = nn.Embedding(100, 16)\n"
            "        self.fc = nn.Linear(16, 4)\n"
            "    def forward(self, tokens, scale):\n"
            "        return self.fc(self.embed(tokens) * scale)\n"
        )
        return path

    def test_module_is_costed_on_every_preset_in_one_line_each(self, capsys, module):
        words = ("cost", f"{module}:Net", "--input-shape", "1,3,16,16", "--preset", "all")
        lines = run(capsys, *words).splitlines()
        assert lines[0].startswith("Net: 2 layers")
        assert [line.split()[0] for line in lines[3 : 3 + len(list_presets())]] == list_presets()
        for row in run_json(capsys, *words):
            chip = load_preset(row["accelerator"])
            assert row["latency_s"] > 0
            assert (row["energy_j"] is None) == (chip.energy is None)

    def test_layers_are_those_of_the_module(self, capsys, module):
        words = ("cost", f"{module}:Net", "--input-shape", "1,3,16,16", "--one-copy")
        document = run_json(capsys, *words)
        sizes = [(x["layer"], x["rows"], x["columns"], x["positions"]) for x in document["layers"]]
        assert sizes == [("conv", 27, 8, 256), ("fc", 2048, 10, 1)]

    @pytest.mark.parametrize(
        "shapes", [("1,6:int64", "1,6,16"), ("scale=1,6,16", "tokens=1,6:int64")]
    )
    def test_several_inputs_by_order_or_by_name(self, capsys, module, shapes):
        words = [word for shape in shapes for word in ("--input-shape", shape)]
        document = run_json(capsys, "cost", f"{module}:Words", *words)
        assert [(x["layer"], x["positions"]) for x in document["layers"]] == [("fc", 6)]

    @pytest.mark.parametrize(
        ("name", "words", "message"),
        [
            ("Net", [], "such as --input-shape 1,3,224,224; got none."),
            ("Net", ["--input-shape", "1,4,16,16"], "Expected torch.export to trace Net"),
            ("Net", ["--input-shape", "2,3,16,16"], "(2, 3, 16, 16)"),
            (
                "Words",
                ["--input-shape", "tokens=1,6:int64", "--input-shape", "1,6,16"],
                "or none with one; got 1 names for 2 inputs.",
            ),
        ],
    )
    def test_bad_input_is_refused(self, capsys, module, name, words, message):
        assert message in refused(capsys, "cost", f"{module}:{name}", *words)

    def test_without_torch(self, tiny):
        program = (
            "import sys; sys.modules['torch'] = None; from lrmp.cli import main; "
            f"sys.exit(main(['hardware', 'cost', {tiny + ':number'!r}]))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 2
        assert f"run {install_command('train')}." in done.stderr


class TestONNX:
    @pytest.fixture
    def model(self, tmp_path):
        import onnx

        make, types = onnx.helper, onnx.TensorProto

        def write(batch):
            weights = [
                make.make_tensor("conv.weight", types.FLOAT, (8, 3, 3, 3), [0.0] * 216),
                make.make_tensor("fc.weight", types.FLOAT, (10, 2048), [0.0] * 20480),
            ]
            nodes = [
                make.make_node("Conv", ["image", "conv.weight"], ["a"], pads=[1] * 4),
                make.make_node("Relu", ["a"], ["b"]),
                make.make_node("Flatten", ["b"], ["c"]),
                make.make_node("Gemm", ["c", "fc.weight"], ["logits"], transB=1),
            ]
            image = make.make_tensor_value_info("image", types.FLOAT, [batch, 3, 16, 16])
            logits = make.make_tensor_value_info("logits", types.FLOAT, None)
            graph = make.make_graph(nodes, "graph", [image], [logits], weights)
            onnx.save(make.make_model(graph), tmp_path / "small.onnx")
            return str(tmp_path / "small.onnx")

        return write

    def test_file_is_costed_on_every_preset_in_one_line_each(self, capsys, model):
        lines = run(capsys, "cost", model(1), "--preset", "all").splitlines()
        assert lines[0].startswith("small: 2 layers")
        assert [line.split()[0] for line in lines[3 : 3 + len(list_presets())]] == list_presets()

    def test_layers_are_those_of_the_file(self, capsys, model):
        document = run_json(capsys, "cost", model(1), "--one-copy")
        sizes = [(x["layer"], x["rows"], x["columns"], x["positions"]) for x in document["layers"]]
        assert sizes == [("conv", 27, 8, 256), ("fc", 2048, 10, 1)]

    def test_open_sizes_are_given_on_the_command_line(self, capsys, model):
        path = model("batch")
        message = refused(capsys, "cost", path)
        assert "On the command line: --input-shape NAME=1,3,224,224." in message
        document = run_json(capsys, "cost", path, "--input-shape", "image=1,3,16,16")
        assert len(document["layers"]) == 2
        message = refused(capsys, "cost", path, "--input-shape", "1,3,16,16")
        assert "with the name of the input for an ONNX file" in message

    def test_missing_file(self, capsys):
        assert "absent.onnx" in refused(capsys, "cost", "absent.onnx")


class TestBadOptions:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--budget", "100"], "Expected a budget of at least 1608 tiles"),
            (["--set", "weight_bits=17"], "Expected 1 to 16 bits, got 17."),
            (["--set", "wait_bits=9"], "Did you mean 'weight_bits'?"),
            (["--preset", "nonsense"], "Expected preset to be one of"),
            (["--preset", "absent.toml"], "Expected a readable preset at absent.toml"),
            (["--preset", "all", "--picture", "x.png"], "Expected one --preset for a picture, got"),
            (["--picture", "x"], "Expected a picture format such as .png for x, got no ending."),
            (["--picture", "x.nonsense"], "Format 'nonsense' is not supported"),
            (["--picture", "absent/x.png"], "Expected a folder for the picture at absent"),
            (["--floor-plan", "x.png", "--budget", "50000"], "Expected from 1 to 30000 tiles"),
        ],
    )
    def test_bad_option_is_refused(self, capsys, words, message):
        assert message in refused(capsys, "cost", "resnet18", *words)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--budget", "0"], "expected a positive number of tiles, got '0'"),
            (["--budget", "10", "--one-copy"], "not allowed with argument --budget"),
            (["--objective", "beauty"], "invalid choice: 'beauty'"),
        ],
    )
    def test_bad_usage(self, capsys, words, message):
        with pytest.raises(SystemExit) as exit_:
            main(["hardware", "cost", "resnet18", *words])
        assert exit_.value.code == 2
        assert message in capsys.readouterr().err


class TestPictures:
    def test_cost_and_floor_plan(self, capsys, tmp_path):
        cost, plan = tmp_path / "cost.png", tmp_path / "plan.svg"
        words = ("cost", "lenet", "--budget", "200", "--picture", str(cost), "--floor-plan")
        text = run(capsys, *words, str(plan))
        assert text.endswith(f"picture: {cost}\npicture: {plan}\n")
        assert cost.read_bytes().startswith(b"\x89PNG")
        assert "lenet on lrmp_frontiers_2024" in plan.read_text("utf-8")

    def test_json_stays_json(self, capsys, tmp_path):
        plan = tmp_path / "plan.pdf"
        words = ["cost", "lenet", "--budget", "200", "--json", "--floor-plan", str(plan)]
        assert main(["hardware", *words]) == 0
        output = capsys.readouterr()
        assert json.loads(output.out)["network"] == "lenet"
        assert output.err == f"picture: {plan}\n"
        assert plan.read_bytes().startswith(b"%PDF")

    def test_without_matplotlib(self, tmp_path):
        # None in sys.modules is how Python itself marks a module that must not be imported.
        program = (
            "import sys; sys.modules['matplotlib'] = None; from lrmp.cli import main; "
            "sys.exit(main(['hardware', 'cost', 'lenet', '--picture', 'x.png']))"
        )
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert f"run {install_command('plot')}." in done.stderr

    def test_evaluate_draws_them_too(self, capsys, tmp_path):
        cost, plan = tmp_path / "cost.svg", tmp_path / "plan.svg"
        words = ["evaluate", "--env-id", "LRMP-ResNet18-v0", "--set", "weight_bits=4"]
        words += ["--set", "activation_bits=5", "--cost-plot"]
        assert main([*words, str(cost), "--floor-plan", str(plan)]) == 0
        text = capsys.readouterr().out
        assert f"picture: {cost}\npicture: {plan}\n" in text
        assert "gains 7.57x latency" in cost.read_text("utf-8")
        assert "1,608 of 1,608 tiles" in plan.read_text("utf-8")


class TestOwnChip:
    @needs_checkout
    def test_template_gives_every_key_and_costs_a_network(self, capsys):
        text = tomllib.loads(TEMPLATE.read_text("utf-8"))
        assert set(text["parameters"]) == set(PARAMETERS) - set(RARE)
        assert all(f"# {key} = {{ value = " in TEMPLATE.read_text("utf-8") for key in RARE)
        assert set(text["energy"]) == set(EVENTS)
        document = run_json(capsys, "cost", "resnet18", "--preset", str(TEMPLATE))
        assert document["accelerator"] == "own-chip"
        assert document["notes"] == []  # the network fits, energy and area are known
        assert all(part > 0 for part in document["area_um2"].values())

    @needs_checkout
    def test_page_names_files_that_exist_and_commands_that_run(self, capsys, tmp_path, monkeypatch):
        page = (TEMPLATE.parent / "own-network.md").read_text("utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", page):
            assert (TEMPLATE.parent / target).exists(), target
        (tmp_path / "own-chip.toml").write_text(TEMPLATE.read_text("utf-8"), "utf-8")
        monkeypatch.chdir(tmp_path)
        commands = [line.split()[2:] for line in page.splitlines() if line.startswith("lrmp hard")]
        assert len(commands) == 9
        for words in commands:
            if not {"network.onnx", "torchvision.models:resnet18", "\\"} & set(words):
                assert run(capsys, *words)

    @needs_checkout
    def test_template_explains_every_choice(self):
        from typing import Literal, get_args, get_origin, get_type_hints

        from lrmp.hardware import Accelerator

        text = TEMPLATE.read_text("utf-8")
        for key, type_ in get_type_hints(Accelerator).items():
            if get_origin(type_) is Literal and key in PARAMETERS:
                assert all(f'"{choice}"' in text for choice in get_args(type_)), key


class TestValidate:
    def test_table_and_json_hold_every_case(self, capsys):
        from lrmp.baselines.validation import run_validation

        cases = run_validation()
        code = 1 if any(case.holds is False for case in cases) else 0
        assert main(["hardware", "validate"]) == code
        text = capsys.readouterr().out
        assert all(case.case in text for case in cases)
        assert main(["hardware", "validate", "--json"]) == code
        rows = json.loads(capsys.readouterr().out)
        assert [(row["case"], row["holds"]) for row in rows] == [(c.case, c.holds) for c in cases]
        assert [tuple(row["model"]) for row in rows] == [case.model for case in cases]
