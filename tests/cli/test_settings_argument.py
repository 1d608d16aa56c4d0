"""Settings on the command line: ``--set`` and ``--design``, the same in every command."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lrmp.cli import main
from lrmp.envs import Record, evaluate, load_task, stored_optimum
from lrmp.hardware.space import catalogue
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.knob import Knob

TASK = "LRMP-MLP-v0"  # fc1, fc2, fc3
OWN_TASK = """\
network = "mlp"

[space]
knobs = ["weight_bits", "reads", "converter"]

[space.allowed]
converter = [["fine"], ["coarse", "fine"], ["coarse", "fine"]]

[accuracy]
provenance = "made up"
weight_bits = {"*" = [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]}
reads = {"*" = [0.2, 0.1, 0.0]}
converter = {"*" = [0.5, 0.0]}
"""


def read_again(computation, times):
    return replace(computation, reads=computation.reads * times)


def convert(computation, labels):
    return replace(computation, reads=computation.reads * np.where(labels == "fine", 2, 1))


@pytest.fixture
def own_task(tmp_path, monkeypatch):
    """A task file with a knob of numbers and one of labels that lrmp does not have."""
    reads = Knob("reads", (1, 2, 4), plain=1, effect=read_again)
    converter = Knob("converter", ("coarse", "fine"), plain="fine", effect=convert)
    for knob in (reads, converter):
        monkeypatch.setitem(catalogue.KNOBS, knob.name, knob)
    file = tmp_path / "own.toml"
    file.write_text(OWN_TASK)
    return str(file)


def words(*settings):
    return [word for setting in settings for word in ("--set", setting)]


def chosen(capsys, *arguments):
    """The design that a command prints."""
    assert main([*map(str, arguments), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)["design"]


def refused(capsys, *arguments):
    assert main([*map(str, arguments)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lrmp: ")]
    return line.removeprefix("lrmp: ")


COMMANDS = (["evaluate", "--env-id", TASK], ["hardware", "cost", "mlp"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("given", "weights", "activations"),
    [
        ([], [8, 8, 8], [8, 8, 8]),
        (["weight_bits=4"], [4, 4, 4], [8, 8, 8]),
        (["activation_bits=2,3,8"], [8, 8, 8], [2, 3, 8]),
        (["activation_bits= 5", "weight_bits=4, 5,6"], [4, 5, 6], [5, 5, 5]),
    ],
)
def test_one_value_is_for_all_layers_and_a_list_for_each(
    capsys, command, given, weights, activations
):
    design = chosen(capsys, *command, *words(*given))
    assert (design["weight_bits"], design["activation_bits"]) == (weights, activations)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["weight_bit=4"],
            "Expected knob to be one of weight_bits, ",
        ),
        (["weight_bits="], "Expected --set as KNOB=VALUES, such as"),
        (["weight_bits=4.0"], "Expected weight_bits between 2 and 8, got '4.0'."),
        (["weight_bits=4,x,4"], "Expected weight_bits between 2 and 8, got 'x' for layer 1 (fc2)."),
        (
            ["weight_bits=4,4"],
            "Expected one weight_bits for all layers, or 3, one per layer; got 2",
        ),
        (
            ["weight_bits=4", "weight_bits=5"],
            "Expected --set once per name, got weight_bits twice.",
        ),
        (["weight_bits"], "Expected --set as KNOB=VALUES, such as weight_bits=4 or weight_bits=8,"),
        (["=4"], "Expected --set as KNOB=VALUES, such as"),
    ],
)
def test_what_is_no_setting_is_refused(capsys, command, given, message):
    assert refused(capsys, *command, *words(*given)).startswith(message)


def test_set_and_design_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["evaluate", "--env-id", TASK, "--set", "weight_bits=4", "--design", "x"])
    assert exit_.value.code == 2
    assert "argument --design: not allowed with argument --set" in capsys.readouterr().err


OUTCOME = evaluate(TASK, weight_bits=[3, 5, 4], activation_bits=[2, 6, 4])
RECORD = Record.of(OUTCOME, agent="a", seed=0, evaluated_designs=1, env_steps=0, wall_time_s=0)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OUTCOME.design.to_json()),
        RECORD.to_line(),
        json.dumps(OUTCOME.to_json(), indent=2),
    ],
    ids=["design", "record", "outcome"],
)
def test_whatever_holds_a_design_gives_its_settings(capsys, tmp_path, command, text):
    file = tmp_path / "design.json"
    file.write_text(text)
    design = chosen(capsys, *command, "--design", file)
    assert (design["weight_bits"], design["activation_bits"]) == ([3, 5, 4], [2, 6, 4])


def test_a_stored_optimum_gives_its_settings(capsys, tmp_path):
    optimum = stored_optimum(TASK)
    (tmp_path / "optimum").write_text(optimum.to_text())
    printed = chosen(capsys, "evaluate", "--env-id", TASK, "--design", tmp_path / "optimum")
    assert Design.from_json(printed) == optimum.design


def test_what_a_command_prints_is_taken_by_another(capsys, tmp_path):
    command = ["hardware", "cost", "mlp", *words("weight_bits=5,6,7"), "--json"]
    assert main(command) == 0
    (tmp_path / "cost.json").write_text(capsys.readouterr().out)
    printed = chosen(capsys, "evaluate", "--env-id", TASK, "--design", tmp_path / "cost.json")
    assert printed["weight_bits"] == [5, 6, 7]


def test_settings_stand_alone_too(capsys, tmp_path):
    (tmp_path / "a.json").write_text('{"weight_bits": [3, 5, 4], "activation_bits": [2, 6, 4]}')
    printed = chosen(capsys, "evaluate", "--env-id", TASK, "--design", tmp_path / "a.json")
    assert printed == OUTCOME.design.to_json()


def test_copies_of_a_file_are_placed_anew(capsys, tmp_path):
    design = replace(OUTCOME.design, replication=np.array([9, 9, 9]))
    (tmp_path / "design.json").write_text(json.dumps(design.to_json()))
    printed = chosen(capsys, "evaluate", "--env-id", TASK, "--design", tmp_path / "design.json")
    assert printed == OUTCOME.design.to_json()


GOOD = OUTCOME.design.to_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Expected one JSON value with a design in {}: Expecting value"),
        (2 * RECORD.to_line(), "Expected one JSON value with a design in {}: Extra data"),
        ("[" * 99, "Expected one JSON value with a design in {}: Expecting value"),
        ("[" * 99 + "]" * 99, "Expected one JSON value with a design in {}: it nests more than 32"),
        ('{"weight_bits": [8], "weight_bits": [8]}', "Expected one JSON value with a design in {}"),
        (
            "[8, 8]",
            "Expected a design in {}, a list of values per knob, alone or as 'design' of a re",
        ),
        (
            "null",
            "Expected a design in {}, a list of values per knob, alone or as 'design' of a rec",
        ),
        (
            "{}",
            "{}: Expected a design with weight_bits, activation_bits, replication; weight_bits, ",
        ),
        (
            {"design": {}},
            "{}: Expected a design with weight_bits, activation_bits, replication; we",
        ),
        (
            GOOD | {"wait_bits": [8] * 3},
            "{}: Expected each part of a design to be one of weight_bit",
        ),
        (
            {"replication": [1] * 3},
            "{}: Expected a design with weight_bits, activation_bits, replic",
        ),
        (
            GOOD | {"weight_bits": 8},
            "{}: Expected weight_bits as a list, one entry per layer, got 8",
        ),
        (GOOD | {"weight_bits": [8, 8]}, "{}: Expected 3 weight_bits, one per layer, got 2."),
        (
            GOOD | {"weight_bits": [8, 9, 8]},
            "{}: Expected weight_bits between 2 and 8, got 9 for la",
        ),
        (
            GOOD | {"weight_bits": [8, True, 8]},
            "{}: Expected weight_bits between 2 and 8, got True f",
        ),
        (
            GOOD | {"weight_bits": [8, {}, 8]},
            "{}: Expected weight_bits between 2 and 8, got {{}} for",
        ),
        (
            GOOD | {"replication": [1, 0, 1]},
            "{}: Expected replication of at least 1, got 0 for laye",
        ),
    ],
)
def test_a_file_without_a_whole_design_is_refused(capsys, tmp_path, content, message):
    file = tmp_path / "design.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    said = refused(capsys, "evaluate", "--env-id", TASK, "--design", file)
    assert said.startswith(message.format(file))
    assert len(said) < 600


def test_a_large_file_is_not_read(capsys, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**20 + 1)
    said = refused(capsys, "evaluate", "--env-id", TASK, "--design", tmp_path / "large")
    assert said.endswith("it has 1048577 bytes, more than 1048576.")


def test_knobs_of_a_task_file_are_set_by_name(capsys, own_task):
    given = words("reads=1,4,2", "converter=fine,coarse,fine")
    design = chosen(capsys, "evaluate", "--env-id", own_task, *given)
    assert design.pop("replication")
    assert design == {
        "weight_bits": [8, 8, 8],
        "reads": [1, 4, 2],
        "converter": ["fine", "coarse", "fine"],
    }
    assert main(["evaluate", "--env-id", own_task, *given]) == 0
    header, first, second, *_ = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["layer", "weight_bits", "reads", "converter", "copies"]
    assert (first.split()[1:4], second.split()[1:4]) == (["8", "1", "fine"], ["8", "4", "coarse"])
    assert main(["task", own_task]) == 0
    text = capsys.readouterr().out
    assert "  reads           among 1, 2, 4, plain 1\n" in text
    assert "  converter       among coarse, fine, plain fine, not all in every layer\n" in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("read=2", "Expected knob to be one of reads, converter, weight_bits; got 'read'. Did you"),
        (
            "activation_bits=4",
            "Expected knob to be one of converter, reads, weight_bits; got 'activ",
        ),
        ("reads=3", "Expected reads among 1, 2, 4, got '3'."),
        ("reads=1,2,3", "Expected reads among 1, 2, 4, got '3' for layer 2 (fc3)."),
        ("converter=fin", "Expected converter among coarse, fine, got 'fin'."),
        ("converter=coarse", "Expected converter of layer 0 (fc1) among fine; got coarse."),
    ],
)
def test_the_range_of_the_knob_is_named(capsys, own_task, given, message):
    assert refused(capsys, "evaluate", "--env-id", own_task, "--set", given).startswith(message)


def test_a_design_of_other_knobs_is_refused(capsys, own_task, tmp_path):
    (tmp_path / "record.jsonl").write_text(RECORD.to_line())
    command = ("evaluate", "--env-id", own_task, "--design", tmp_path / "record.jsonl")
    assert "replication, weight_bits; got 'activation_bits'" in refused(capsys, *command)


def test_hardware_takes_every_knob_that_lrmp_knows(capsys, own_task, tmp_path):
    del own_task  # but its knobs are known
    design = chosen(capsys, "hardware", "cost", "mlp", "--one-copy", *words("reads=2"))
    assert [*design] == ["weight_bits", "activation_bits", "reads", "replication"]
    cycles = {}
    for times in (1, 2):
        command = ["hardware", "cost", "mlp", "--one-copy", "--json", *words(f"reads={times}")]
        assert main(command) == 0
        printed = json.loads(capsys.readouterr().out)
        assert [layer["reads"] for layer in printed["layers"]] == [times] * 3
        cycles[times] = printed["cycle_breakdown"]["mvm"]
    assert cycles[2] == 2 * cycles[1]
    assert main(["hardware", "cost", "mlp", *words("reads=1,2,4")]) == 0
    text = capsys.readouterr().out
    assert text.split()[:8] == [
        "layer",
        "rows",
        "x",
        "columns",
        "positions",
        "reads",
        "copies",
        "tiles",
    ]
    assert "weight bits 8, activation bits 8, reads 1..4, optimal copies" in text


def test_an_episode_is_rendered_with_them(own_task, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    given = words("reads=2", "converter=fine,coarse,coarse")
    assert main(["render", own_task, "--out", str(tmp_path / "a.gif"), *given]) == 0
    rendered = capsys.readouterr().out
    assert main(["evaluate", "--env-id", own_task, "--json", *given]) == 0
    score = json.loads(capsys.readouterr().out)["score"]
    assert (f"score {score:.4f}" if score is not None else "no score") in rendered


def test_layers_are_those_of_the_task(capsys):
    layers = len(load_task("LRMP-ResNet18-v0").network)
    values = ",".join(["4"] * layers)
    design = chosen(
        capsys, "evaluate", "--env-id", "LRMP-ResNet18-v0", *words(f"weight_bits={values}")
    )
    assert design["weight_bits"] == [4] * layers
