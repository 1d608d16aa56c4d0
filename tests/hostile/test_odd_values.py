"""Well-formed files with a value of another kind in every place: one error each."""

import importlib.util
import json
import random
import tomllib
from pathlib import Path

import pytest

from lrmp.errors import LRMPError

_spec = importlib.util.spec_from_file_location(
    "hostile_mutations", Path(__file__).with_name("test_mutations.py")
)
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)

CASES, SEED = 40, 6

ODD = (
    None,
    True,
    -1,
    0,
    2.5,
    2**62,
    1e300,
    float("inf"),
    "",
    "x\x1b[31m\n",
    [],
    [[]],
    [None],
    ["a", 1],
    {},
    {"a": {}},
)


def places(value, path=()):
    """Every place in a document: the way to it."""
    yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from places(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value[:2]):  # the rest is like these
            yield from places(child, (*path, index))


def changed(value, path, new):
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = changed(value[path[0]], path[1:], new)
    return copied


def to_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(to_toml, value))}]"
    return json.dumps(value).replace("Infinity", "inf")


def has_none(value):
    if isinstance(value, dict | list):
        return any(map(has_none, value.values() if isinstance(value, dict) else value))
    return value is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind, (name, _, _) in mutations.KINDS.items()
        if name.endswith((".toml", ".json", ".jsonl"))
    ],
)
def test_values_of_another_kind(kind, tmp_path):
    name, make, read = mutations.KINDS[kind]
    toml = name.endswith(".toml")
    text = make().decode()
    lines = [text] if toml or name.endswith(".json") else text.splitlines()
    if kind.startswith("run_"):
        for other in ("config.json", "record.jsonl", "episodes.csv", "SHA256SUMS"):
            (tmp_path / other).write_bytes(mutations.run_file(other)())
    documents = [tomllib.loads(line) if toml else json.loads(line) for line in lines[:2]]
    every = [
        (number, path, odd)
        for number, document in enumerate(documents)
        for path in places(document)
        for odd in ODD
        if not toml or (path and not has_none(odd))
    ]
    messages = []
    for number, path, odd in random.Random(SEED).sample(every, min(CASES, len(every))):
        new = changed(documents[number], path, odd)
        if toml:
            content = "\n".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in new.items())
        else:
            rest = [*lines[:number], json.dumps(new), *lines[number + 1 :]]
            content = "".join(f"{each}\n" for each in rest)
        (tmp_path / name).write_text(content)
        try:
            read(tmp_path / name)
        except LRMPError as error:
            messages.append(str(error))
        except BaseException as error:
            error.add_note(f"{kind}: {path} = {odd!r}")
            raise
    assert messages
    assert not any("\x1b" in message for message in messages)
