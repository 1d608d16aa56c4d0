"""The published schema of a record, and its verdict in one sentence."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from lrmp.errors import RecordError
from lrmp.leaderboard.strict_json import ADVICE, MAX_SHOWN, shown

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SCHEMA = "record.schema.json"


@cache
def load_record_schema() -> dict[str, Any]:
    """Load the schema that ships with lrmp.

    Returns:
        The parsed ``record.schema.json``; treat it as read-only.
    """
    text = resources.files("lrmp.leaderboard").joinpath(SCHEMA).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_record_schema(document: Any, advice: str = ADVICE) -> None:
    """Check a parsed line against the schema.

    Args:
        document: What ``parse_strict_json`` returned.
        advice: What to do about a violation; ends the message.

    Raises:
        RecordError: For the first violation, naming the field.
    """
    for error in _validator().iter_errors(document):
        raise RecordError(f"{_sentence(error)} {advice}")


@cache
def _validator() -> "Validator":
    from jsonschema import (
        Draft202012Validator,
    )  # 0.15 s that `import lrmp.leaderboard` need not pay
    from jsonschema.validators import extend

    # JSON Schema takes 1.0 for an integer and Python takes True for one; a record has neither.
    integers = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    strict: type[Validator] = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, validators={"pattern": _pattern}, type_checker=integers
    )
    return strict(load_record_schema())


def _pattern(
    validator: "Validator", pattern: str, instance: Any, schema: Mapping[str, Any]
) -> "Iterator[ValidationError]":
    """Match as the schema language means it: Python's ``$`` alone would allow a final newline."""
    from jsonschema import ValidationError

    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield ValidationError("does not match")


def _sentence(error: "ValidationError") -> str:
    """Say what was expected and what came."""
    field = _path(error.absolute_path)
    value: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "required":
            missing = next(name for name in schema["required"] if name not in value)
            return f"expected {field} to have the field {missing}, got none."
        case "additionalProperties":
            extra = next(name for name in value if name not in schema["properties"])
            known = ", ".join(schema["properties"])
            return f"expected {field} to have the fields {known} and no other, got {shown(extra)}."
    if "propertyNames" in error.absolute_schema_path:
        field = f"the names in {field}"
    got = f"{len(value)} items" if error.validator in _SIZES else shown(value)
    return f"expected {field} to be {_wanted(schema)}, got {got}."


_SIZES = ("minItems", "maxItems", "minProperties", "maxProperties")


def _path(parts: Iterable[str | int]) -> str:
    """Write a path as in ``design.replication[3]``."""
    text = ""
    for part in parts:
        plain = isinstance(part, str) and re.fullmatch(r"[A-Za-z_]\w*", part, re.ASCII)
        text += f".{part}" if plain else f"[{shown(part)}]"
    return text.removeprefix(".") or "a record"


def _wanted(schema: Any) -> str:
    """Put a part of the schema into words."""
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return " or ".join(shown(choice) for choice in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = {
        "null": "null",
        "object": "an object"
        + (f" of {_size(schema, 'Properties')} fields" if "maxProperties" in schema else ""),
        "array": f"a list of {_size(schema, 'Items')} items",
        "integer": f"an integer from {schema.get('minimum')} to {schema.get('maximum')}",
        "number": f"a number from {schema.get('minimum')} to {schema.get('maximum')}",
        "string": f"text {_form(schema)}"
        + (f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""),
    }
    return " or ".join(words[kind] for kind in kinds)


def _size(schema: Any, of: str) -> str:
    """Put how many there may be into words."""
    least, most = schema.get(f"min{of}"), schema.get(f"max{of}")
    return f"at most {most}" if least is None else f"{least} to {most}"


def _form(schema: Any) -> str:
    """Put a pattern into words: a long one is described."""
    pattern = str(schema.get("pattern"))
    return f"matching {pattern}" if len(pattern) <= MAX_SHOWN else f"({schema['description'][:-1]})"
