from dataclasses import fields

import pytest
from jsonschema import Draft202012Validator

from lrmp.envs import Claim, Record
from lrmp.errors import RecordError
from lrmp.hardware.space.design import REPLICATION
from lrmp.hardware.space.knob import LABEL_PATTERN, NAME_PATTERN
from lrmp.leaderboard.record_schema import check_record_schema, load_record_schema
from lrmp.leaderboard.strict_json import parse_strict_json


def objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)


def test_the_schema_is_valid_draft_2020_12():
    assert load_record_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(load_record_schema())


def test_the_schema_lists_the_fields_that_records_have():
    schema = load_record_schema()["properties"]
    assert set(schema) == {"schema_version"} | {f.name for f in fields(Record)}
    assert set(schema["claim"]["properties"]) == {f.name for f in fields(Claim)}
    assert list(schema["design"]["properties"]) == [REPLICATION]


def test_every_object_is_closed_and_every_field_described():
    found = list(objects(load_record_schema()))
    assert len(found) == 4
    for schema in found:
        if "propertyNames" in schema:  # versions and knobs: a map, of few short names
            assert "pattern" in schema["propertyNames"]
            assert "maxProperties" in schema
            assert schema["additionalProperties"]["description"]
            continue
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
        assert all(field["description"] for field in schema["properties"].values())


def test_every_number_is_bounded_and_every_text_has_a_pattern():
    def check(schema):
        if isinstance(schema, dict):
            kind = schema.get("type")
            kinds = {*kind} if isinstance(kind, list) else {kind}
            if kinds & {"integer", "number"}:
                assert {"minimum", "maximum"} <= set(schema) or "const" in schema
            if "array" in kinds:
                assert {"minItems", "maxItems"} <= set(schema)
            if "string" in kinds:
                assert "pattern" in schema or "enum" in schema
            for value in schema.values():
                check(value)

    check(load_record_schema())


@pytest.mark.parametrize(
    "name", ["digits_record", "resnet_record", "throughput_record", "bold_record"]
)
def test_real_records_satisfy_the_published_schema_in_any_validator(name, request):
    document = parse_strict_json(request.getfixturevalue(name).to_line())
    Draft202012Validator(load_record_schema()).validate(document)
    check_record_schema(document)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 1}, "expected schema_version to be 2, got 1"),
        ({"schema_version": 1, "novelty": 0}, "expected schema_version to be 2, got 1"),
        ({"schema_version": True}, "expected schema_version to be 2, got true"),
        ({"schema_version": 2.0}, "expected schema_version to be 2, got 2.0"),
        ({"task": "lrmp:LRMP-Digits-v0"}, 'expected task to be text matching .*, got "lrmp:LRMP-'),
        ({"task": None}, "expected task to be text matching .*, got null"),
        ({"task_fingerprint": "F" * 64}, 'expected task_fingerprint .*, got "FFF'),
        ({"agent": ""}, 'expected agent to be text matching .*, got ""'),
        ({"agent": "-rf"}, 'expected agent .*, got "-rf"'),
        ({"agent": "a" * 65}, "expected agent to be text"),
        ({"agent": "name\n"}, r'expected agent .*, got "name\\n"'),
        ({"agent": "n\u00e4me"}, r'expected agent .*, got "n\\u00e4me"'),
        ({"agent": "\u001b[31m"}, r'expected agent .*, got "\\u001b\[31m"'),
        ({"seed": -1}, "expected seed to be an integer from 0 to 4294967295, got -1"),
        ({"seed": 2**32}, "expected seed to be an integer from 0 to 4294967295, got 4294967296"),
        ({"seed": True}, "expected seed to be an integer from 0 to 4294967295, got true"),
        ({"seed": 1.0}, r"expected seed to be an integer from 0 to 4294967295, got 1\.0"),
        ({"seed": "1"}, 'expected seed to be an integer .*, got "1"'),
        ({"design": []}, r"expected design to be an object of 2 to 33 fields, got \[\]"),
        ({"design.weight_bits": []}, "design.weight_bits to be a list of 1 to 10000 items, got 0"),
        ({"design.weight_bits": [8] * 10001}, "a list of 1 to 10000 items, got 10001 items"),
        ({"design.weight_bits": 8}, "expected design.weight_bits to be a list .*, got 8"),
        (
            {"design.weight_bits": [8, True]},
            r"design.weight_bits\[1\] to be an integer from -\d+ to \d+ or text .*, got true",
        ),
        ({"design.weight_bits": [8, 4.0]}, r"expected design.weight_bits\[1\] .*, got 4\.0"),
        ({"design.weight_bits": [8, None]}, r"expected design.weight_bits\[1\] .*, got null"),
        ({"design.weight_bits": [8, [8]]}, r"expected design.weight_bits\[1\] .*, got \[8\]"),
        ({"design.weight_bits": [8, 2**53]}, r"design.weight_bits\[1\] .*, got 9007199254740992"),
        ({"design.weight_bits": ["x" * 41]}, r"design.weight_bits\[0\] .*, got \"x{41}\""),
        ({"design.weight_bits": ["a,b"]}, r"design.weight_bits\[0\] .*, got \"a,b\""),
        ({"design.weight_bits": ["\x1b[31m"]}, r'design.weight_bits\[0\] .*, got "\\u001b\[31m"'),
        ({"design.weight bits": [8] * 5}, 'expected the names in design to .*, got "weight bits"'),
        ({"design." + "x" * 41: [8] * 5}, "expected the names in design to be text matching"),
        (
            {f"design.knob{number}": [1] * 5 for number in range(31)},
            "expected design to be an object of 2 to 33 fields, got 34 items",
        ),
        ({"design": {"replication": [1] * 5}}, "to be an object of 2 to 33 fields, got 1 items"),
        (
            {"design.replication": [1, 0]},
            r"design.replication\[1\] to be an integer from 1 to 1000000, got 0",
        ),
        ({"design.replication": [1, 10**6 + 1]}, r"design.replication\[1\] .*, got 1000001"),
        ({"claim.score": "0.5"}, 'expected claim.score to be a number .*, got "0.5"'),
        ({"claim.score": True}, "expected claim.score to be a number .*, got true"),
        ({"claim.score": "null"}, 'from -1000 to 1000 or null, got "null"'),
        ({"claim.score": []}, r"expected claim.score to be a number .* or null, got \[\]"),
        ({"claim.gain": None}, "expected claim.gain to be a number from 0 to 1000000, got null"),
        ({"claim.accuracy_drop": None}, "expected claim.accuracy_drop to be a number .*, got null"),
        ({"claim.score": 1e300}, r"claim.score .* from -1000 to 1000 or null, got 1e\+300"),
        ({"claim.tiles": 54.0}, "expected claim.tiles to be an integer .*, got 54.0"),
        ({"claim.latency_cycles": 2**53}, "expected claim.latency_cycles to be an integer"),
        ({"evaluated_designs": 0}, "expected evaluated_designs to be an integer from 1"),
        ({"env_steps": -1}, "expected env_steps to be an integer from 0"),
        ({"wall_time_s": -0.5}, "expected wall_time_s to be a number from 0"),
        ({"trained_on": "everything"}, 'expected trained_on to be "this-task" or "other-tasks"'),
        ({"code": "javascript:alert(1)"}, 'expected code to be .* or null, got "javascript'),
        ({"code": "https://a b"}, "expected code to be text"),
        ({"code": "https://a.org/" + "x" * 500}, "expected code to be text .* 500 characters"),
        (
            {"code": "http://github.com/me"},
            "expected code to be text .Address of the code, or null: ",
        ),
        ({"versions": {}}, "expected versions to have the field lrmp, got none"),
        ({"versions.numpy": 2}, "expected versions.numpy to be text"),
        ({"versions.numpy": "2" * 65}, "expected versions.numpy to be text"),
        ({"versions.scikit-learn": None}, r'expected versions\["scikit-learn"\] to be text'),
        ({"versions.num py": "2"}, 'expected the names in versions to be .*, got "num py"'),
        (
            {"versions": {f"library{i}": "1" for i in range(60)}},
            "expected versions to be an object of at most 50 fields, got 60 items",
        ),
        (
            {"novelty": 1},
            'expected a record to have the fields schema_version, .* and no other, got "novelty"',
        ),
        (
            {"claim.energy_j": 1},
            'expected claim to have the fields score, .*, tiles and no other, got "energy_j"',
        ),
    ],
)
def test_each_violation_names_the_field_and_what_came(edit, refuse, changes, message):
    refuse([edit(changes)], "line 1: .*" + message)


ADDRESSES = (
    "https://github.com", "https://github.com/me/x", "https://a.org/b?c=d&e=1#f", "https://a.org#b",
    "https://gitlab.example.co.uk/a_b/-/tree/v1.0", "https://example.org/@me", "https://a-b.io/%20",
    "https://xn--bcher-kva.example.com/", "https://en.wikipedia.org/wiki/Bit_(computing)",
    "https://1.2.3.4.org/", "https://local.org", "https://mylocalhost.org/",
)  # fmt: skip
NO_ADDRESSES = (
    'https://x/"><script>', 'https://x.org/"><script>', "https://x.org/<b>", "https://x.org/'",
    "https://x.org/`id`", "https://x.org/$(id)", "https://x.org/{a}", "https://x.org/a\\b",
    "https://x.org/a b", "https://x.org/\n", "https://x.org\n", "https://x.org/\x1b[31m",
    "https://x.org/\u202e", "https://x.org/\x00", "https://github.com@evil",
    "https://github.com@evil.org/", "https://me:pw@evil.org/", "https://github.com%40evil.org/",
    "https://github.com\\@evil.org/", "https://github.com:443/", "https://github.com:pw@evil.org",
    "http://localhost:22/", "https://localhost/", "https://localhost", "https://x.localhost/a",
    "https://printer.local", "https://db.internal/x", "https://router.lan/", "https://a.home.arpa/",
    "https://a.test", "https://a.invalid/", "https://a.example/", "https://127.0.0.1/",
    "https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://1.0x7f/", "https://[::1]/",
    "https://10.0.0.1.", "https://-a.org", "https://a-.org", "https://a..org", "https://.org",
    "https://a.org.", "https://a_b.org", "https://\u0430.org", "https://a.o", "https:///a.org",
    "https://", "https:a.org", "//a.org", "a.org", "http://a.org", "HTTPS://a.org", "ftp://a.org",
    "https://GITHUB.COM/", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x",
    "https://" + "a" * 64 + ".org", "https://a.org/" + "x" * 500, "",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_of_code_is_https_with_a_host_name(digits_record, address):
    document = digits_record.to_json() | {"code": address}
    check_record_schema(document)
    Draft202012Validator(load_record_schema()).validate(document)


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_any_other_address_is_refused(digits_record, address):
    with pytest.raises(
        RecordError, match=r"^expected code to be text .*Address of the code, or nul"
    ):
        check_record_schema(digits_record.to_json() | {"code": address})


@pytest.mark.parametrize("name", list(load_record_schema()["properties"]))
def test_each_missing_field_is_named(digits_record, name):
    document = digits_record.to_json()
    del document[name]
    with pytest.raises(RecordError, match=f"expected a record to have the field {name}, got none"):
        check_record_schema(document)


def test_missing_copies_are_named(digits_record):
    document = digits_record.to_json()
    del document["design"]["replication"]
    with pytest.raises(RecordError, match="expected design to have the field replication, got non"):
        check_record_schema(document)


def test_names_and_labels_are_those_that_knobs_may_have():
    knobs = load_record_schema()["properties"]["design"]
    assert knobs["propertyNames"]["pattern"] == f"^{NAME_PATTERN}$"
    assert knobs["additionalProperties"]["items"]["pattern"] == f"^{LABEL_PATTERN}$"


@pytest.mark.parametrize("value", [[], "text", 3, None, True])
def test_a_record_must_be_an_object(value):
    with pytest.raises(RecordError, match="expected a record to be an object"):
        check_record_schema(value)


def test_long_values_are_cut_in_messages(edit, write):
    document = parse_strict_json(edit({"agent": "x" * 100_000}))
    with pytest.raises(RecordError) as caught:
        check_record_schema(document)
    assert len(str(caught.value)) < 300
