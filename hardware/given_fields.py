"""Finds the fields of a dataclass that differ from their defaults."""

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def given_fields(thing: "DataclassInstance") -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults.

    Fingerprints are made of these, so that a new field whose default changes nothing leaves them as
    they are. The default of a field must therefore never change.

    Args:
        thing: Of plain values.

    Returns:
        Values by name, in the order of the fields.
    """
    values = ((field, getattr(thing, field.name)) for field in fields(thing))
    return {
        field.name: value
        for field, value in values
        if field.default is MISSING or value != field.default
    }
