"""Preset files as text."""

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """Write a value as TOML does; its texts and lists are those of JSON.

    Args:
        value: A text, number or list.

    Returns:
        The value.
    """
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def number_line(key: str, entry: Mapping[str, Any]) -> str:
    """Write a number of a preset file.

    Args:
        key: Its name.
        entry: Value, status and source, in this order, and what else it has.

    Returns:
        A line, such as ``cell_bits = { value = 1, status = "assumed", source = "a guess" }``.
    """
    pairs = ", ".join(f"{_key(name)} = {toml_value(value)}" for name, value in entry.items())
    return f"{_key(key)} = {{ {pairs} }}"


def preset_text(document: Mapping[str, Any]) -> str:
    """Write a preset file.

    Args:
        document: As ``read_preset`` describes it: title and like, then the sections.

    Returns:
        The text.
    """
    lines = [f"{key} = {toml_value(document[key])}" for key in ("title", "like") if key in document]
    for section in ("parameters", "energy", "noise"):
        if section in document:
            lines += ["", f"[{section}]"]
            lines += [number_line(key, entry) for key, entry in document[section].items()]
    for name, component in document.get("components", {}).items():
        lines += ["", f"[components.{_key(name)}]"]
        lines += [f"{_key(key)} = {toml_value(value)}" for key, value in component.items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_value(name)
