"""The component library as tests call it by hand, where it is installed."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

PACKAGES = ("hwcomponents", "hwcomponents_adc", "hwcomponents_library", "hwcomponents_cacti")
NODE = 32e-9
SPECIFICATION = Path(__file__).parents[3] / "docs" / "hardware" / "lrmp-derived.toml"


def stand_in(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})


@pytest.fixture
def library(monkeypatch):
    """Return how a class is imported as everybody does, NeuroSim's own being stood in for."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        pytest.skip(f"needs lrmp[components] on Python >= 3.12, got no {', '.join(missing)}")
    for name in ("hwcomponents_neurosim", "hwcomponents_neurosim.main"):
        module = ModuleType(name)
        module.__getattr__ = stand_in
        monkeypatch.setitem(sys.modules, name, module)

    def find(name):
        package = "hwcomponents_adc" if name == "ADC" else "hwcomponents_library"
        found = getattr(import_module(package), name)
        sys.modules.pop("hwcomponents_library", None)  # without the classes stood in for
        return found

    return find


@pytest.fixture
def cacti(library):
    """Return CACTI's SRAM of a width and a size in bits at 32 nm, where CACTI runs."""

    def sram(width, size):
        return import_module("hwcomponents_cacti").SRAM(tech_node=NODE, width=width, size=size)

    try:
        sram(256, 256)
    except Exception as error:
        pytest.skip(f"CACTI does not run here (.ci/components builds it): {error}")
    return sram


@pytest.fixture
def specification():
    """Return the text of the specification of the docs, or skip."""
    if not SPECIFICATION.is_file():
        pytest.skip(f"no {SPECIFICATION.name}: not a checkout")
    return SPECIFICATION.read_text("utf-8")
