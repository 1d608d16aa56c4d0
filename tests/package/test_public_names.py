"""What users may rely on: a change of it is seen, and meant.

`python tests/package/test_public_names.py` writes the list anew.
"""

import importlib
import inspect
from pathlib import Path

PACKAGES = ("", ".accuracy", ".envs", ".hardware", ".leaderboard", ".solvers")
LIST = Path(__file__).with_name("public_names.txt")


def public_names():
    """Return every public name with its parameters, one a line."""
    lines = []
    for package in PACKAGES:
        module = importlib.import_module(f"lrmp{package}")
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            parameters = ""
            if inspect.isroutine(thing) or inspect.isclass(thing):
                try:
                    parameters = f"({', '.join(inspect.signature(thing).parameters)})"
                except ValueError:  # a type alias
                    parameters = ""
            lines.append(f"lrmp{package}.{name}{parameters}")
    return lines


def test_public_names_are_as_listed():
    listed = LIST.read_text("utf-8").splitlines()
    assert public_names() == listed, f"Meant? Run python tests/package/{Path(__file__).name}."


def test_public_names_are_described():
    for package in PACKAGES:
        module = importlib.import_module(f"lrmp{package}")
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isroutine(thing) or inspect.isclass(thing):
                assert inspect.getdoc(thing), f"lrmp{package}.{name}"


if __name__ == "__main__":
    LIST.write_text("\n".join(public_names()) + "\n", "utf-8")
