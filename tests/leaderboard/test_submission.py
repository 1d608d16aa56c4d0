import json
import os
from dataclasses import replace

import pytest

from lrmp.envs import TASKS
from lrmp.errors import RecordError
from lrmp.leaderboard import read_submission
from lrmp.leaderboard.submission import MAX_BYTES, MAX_RECORDS


def test_a_run_directory_gives_its_record(tmp_path, digits_record):
    (tmp_path / "record.jsonl").write_text(digits_record.to_line())
    assert read_submission(tmp_path) == [digits_record]


def test_a_file_gives_its_records_in_order(write, digits_record, resnet_record):
    records = [resnet_record, digits_record, replace(digits_record, seed=1)]
    assert read_submission(write([r.to_line() for r in records])) == records


def test_windows_line_ends_and_a_missing_final_newline_are_read(write, digits_record):
    lines = [digits_record.to_line().strip(), replace(digits_record, seed=1).to_line().strip()]
    assert len(read_submission(write("\r\n".join(lines)))) == 2


def test_whole_numbers_may_claim_real_ones(write, edit):
    record = read_submission(write([edit({"wall_time_s": 2, "claim.accuracy_drop": 0})]))[0]
    assert type(record.wall_time_s) is float
    assert type(record.claim.accuracy_drop) is float


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1: expected one JSON object, got '.*' at column 2"),
        ("\ufeff{}", "line 1: expected one JSON object, got 'Unexpected UTF-8 BOM"),
        ("{} {}", "line 1: expected one JSON object, got 'Extra data' at column 4"),
        ("{'a': 1}", "line 1: expected one JSON object, got 'Expecting property name"),
        ('{"claim": {"score": NaN}}', "line 1: expected finite numbers, got NaN"),
        ('{"claim": {"score": Infinity}}', "line 1: expected finite numbers, got Infinity"),
        ('{"claim": {"score": -Infinity}}', "line 1: expected finite numbers, got -Infinity"),
        ('{"claim": {"score": 1e999}}', "line 1: expected finite numbers, got 1e999"),
        ('{"seed": 0, "seed": 1}', 'line 1: expected every key once, got "seed" twice'),
        ('{"a": {"seed": 0, "\\u0073eed": 1}}', 'expected every key once, got "seed" twice'),
        ("[" * 9 + "]" * 9, "line 1: expected at most 8 nested levels, got more"),
        ("[" * 100_000, "line 1: expected at most 8 nested levels, got more"),
        ('{"a":' * 100_000, "line 1: expected at most 8 nested levels, got more"),
        ('{"seed": ' + "9" * 5000 + "}", "expected integers of at most 20 digits, got 5000"),
        ('{"seed": -' + "9" * 21 + "}", "expected integers of at most 20 digits"),
        ('{"seed": 0.' + "9" * 5000 + "}", r"line 1: expected seed to be an integer .*, got 1\.0"),
        ('{"seed": 1e' + "9" * 5000 + "}", r"expected finite numbers, got 1e9{78}\. Write"),
        ("\x00", "line 1: expected one JSON object, got 'Expecting value' at column 1"),
        ('{"a": "\x00"}', "line 1: expected one JSON object, got 'Invalid control character at'"),
        ('{"seed": 0}\x00', "line 1: expected one JSON object, got 'Extra data' at column 12"),
        ('"\\ud800"', 'line 1: expected a record to be an object, got "\\\\ud800"'),
    ],
)
def test_what_is_no_strict_json_is_refused(refuse, text, message):
    refuse(text, message)


def test_a_repeated_key_in_a_real_record_is_refused(refuse, digits_record):
    line = digits_record.to_line().replace('"seed": 0', '"seed": 0, "seed": 0')
    refuse(line, 'line 1: expected every key once, got "seed" twice. Write the line with')


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n"])
def test_an_empty_file_is_refused(refuse, content):
    refuse(content, "to hold at least one record, got an empty file")


def test_an_empty_line_between_records_is_refused(refuse, edit):
    refuse(edit({}) + "\n\n" + edit({"seed": 1}), "line 2: expected one JSON object")


def test_a_file_that_is_not_utf_8_is_refused(refuse, edit):
    refuse(edit({}).encode().replace(b"tester", b"te\xffter"), "to be UTF-8: .*0xff")


def test_a_missing_path_is_refused(refuse, tmp_path):
    refuse(tmp_path / "nowhere", "Expected records in .*nowhere: .*No such file")


def test_a_directory_without_record_is_refused(refuse, tmp_path):
    (tmp_path / "run").mkdir()
    refuse(
        tmp_path / "run", r"Expected a finished run in .*run, got a directory without record\.jsonl"
    )


def test_a_path_that_no_file_can_have_is_refused(refuse, tmp_path):
    refuse(tmp_path / "nul\0byte", "Expected records in .*: embedded null byte")
    refuse(tmp_path / ("x" * 5000), "Expected records in .*: .*name too long")


def test_a_symbolic_link_is_refused(refuse, write, tmp_path, edit):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.jsonl").symlink_to(write([edit({})]))
    refuse(
        tmp_path / "run",
        "Expected records in .*record.jsonl: it is a link, not a regular file. Give a",
    )


def test_a_pipe_is_refused_without_waiting_for_a_writer(refuse, tmp_path):
    os.mkfifo(tmp_path / "records.fifo")
    refuse(
        tmp_path / "records.fifo",
        "Expected records in .*records.fifo: it is a pipe, not a regular file",
    )


def test_a_directory_as_record_is_refused(refuse, tmp_path):
    (tmp_path / "run" / "record.jsonl").mkdir(parents=True)
    refuse(tmp_path / "run", "Expected records in .*record.jsonl: it is a directory, not a")


def test_a_file_of_100_mb_is_refused_without_being_read(refuse, tmp_path):
    with (tmp_path / "huge.jsonl").open("wb") as file:
        file.truncate(100_000_000)  # sparse; reading it would complain of its first line
    refuse(tmp_path / "huge.jsonl", f"it has 100000000 bytes, more than {MAX_BYTES}. Give a run")


def test_the_largest_file_is_read(write, edit):
    line = edit({})
    assert len(read_submission(write(line + " " * (MAX_BYTES - len(line))))) == 1


def test_a_byte_more_than_the_largest_file_is_refused(refuse, edit):
    line = edit({})
    refuse(line + " " * (MAX_BYTES + 1 - len(line)), f"it has 1048577 bytes, more than {MAX_BYTES}")


def test_too_many_lines_are_refused(refuse):
    refuse("{}\n" * (MAX_RECORDS + 1), "to hold at most 100 records, got 101 lines. Split it")


def test_the_line_of_a_bad_record_is_named(refuse, edit):
    lines = [edit({"seed": 0}), edit({"seed": 1}), edit({"seed": -1})]
    refuse(lines, "records.jsonl, line 3: expected seed to be an integer")


def test_the_same_run_twice_in_a_file_is_refused(refuse, edit):
    lines = [edit({}), edit({"agent": "other"}), edit({"wall_time_s": 9})]
    refuse(lines, "line 3: expected one record per .*LRMP-Digits-v0, tester, seed 0 again after l")


def test_names_that_look_alike_in_a_file_are_refused(refuse, edit):
    lines = [edit({}), edit({"agent": "other"}), edit({"agent": "Tester", "seed": 1})]
    refuse(lines, "line 3: expected names of agents that look different, got Tester beside tester")


def test_an_unknown_version_names_those_that_exist(refuse, edit):
    refuse(
        [edit({"task": "LRMP-ResNet18-v9"})],
        r"line 1: expected a version of LRMP-ResNet18 that lrmp .* has "
        r"\(LRMP-ResNet18-v0\), "
        "got LRMP-ResNet18-v9",
    )


def test_an_unknown_task_names_the_nearest(refuse, edit):
    refuse([edit({"task": "LRMP-ResNet81-v0"})], "line 1: expected task .*; got 'LRMP-ResNet81-v0'")
    refuse([edit({"task": "LRMP-Digit-v0"})], "Did you mean 'LRMP-Digits-v0'?")


def test_a_task_without_version_is_unknown(refuse, edit):
    refuse([edit({"task": "LRMP-ResNet18"})], "line 1: expected task to be one of .*; got 'LRMP-R")


def test_another_definition_of_the_task_is_refused(refuse, edit, digits_record):
    refuse(
        [edit({"task_fingerprint": "0" * 64, "versions.lrmp": "0.0.7"})],
        f"expected task_fingerprint {digits_record.task_fingerprint[:16]}.*, LRMP-Digits-v0 as "
        "lrmp .* here defines it, got 0{16}.*, recorded with lrmp 0.0.7. Repeat the run",
    )


def test_the_fingerprint_of_another_task_is_refused(refuse, edit, resnet_record):
    line = edit({"task_fingerprint": resnet_record.task_fingerprint})
    refuse([line], f"got {resnet_record.task_fingerprint[:16]}")


@pytest.mark.parametrize("count", [20, 22, 1])
def test_a_design_of_another_network_is_refused(refuse, edit, resnet_record, count):
    design = {
        "weight_bits": [6] * count,
        "activation_bits": [6] * count,
        "replication": [1] * count,
    }
    refuse(
        [edit({"design": design}, resnet_record)],
        f"line 1: expected 21 weight_bits, one per layer, got {count}. Write the line with",
    )


@pytest.mark.parametrize("name", ["weight_bits", "activation_bits", "replication"])
def test_one_missing_layer_is_refused(refuse, edit, resnet_record, name):
    short = json.loads(resnet_record.to_line())["design"][name][:-1]
    line = edit({f"design.{name}": short}, resnet_record)
    refuse([line], f"line 1: expected 21 {name}, one per layer, got 20. Write the line")


def test_records_of_every_task_are_known(write, edit):
    # Each is refused for its fingerprint, so the id was found.
    for task in TASKS:
        with pytest.raises(RecordError, match=f"expected task_fingerprint .*, {task} as lrmp"):
            read_submission(write([edit({"task": task, "task_fingerprint": "0" * 64})]))
