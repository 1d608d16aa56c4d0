"""The component library: classes of the hwcomponents packages, called by name."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec
from platform import python_version
from types import ModuleType
from typing import Any

from lrmp.errors import MissingExtraError

EXTRA = "components"
LEAST_PYTHON = (3, 12)
#: The package whose own __init__ is left out; see ``_without_init``.
_LIBRARY = "hwcomponents_library"


class Called:
    """A component of the library.

    Attributes:
        model: What its class returned.
        citation: Package, version, class and arguments.
    """

    def __init__(self, model: Any, citation: str) -> None:
        self.model, self.citation = model, citation

    def energy_fj(self, action: str, bits: int = 1) -> float:
        """Ask what an action takes.

        Args:
            action: A method of the class.
            bits: What the energy is divided by.

        Returns:
            Femtojoules per bit.
        """
        return float(getattr(self.model, action)().energy) * 1e15 / bits

    @property
    def area_um2(self) -> float:
        """Its area in square micrometres."""
        return float(self.model.area) * 1e12

    @property
    def leakage_uw(self) -> float:
        """Its leakage in microwatts."""
        return float(self.model.leak_power) * 1e6


def call(package: str, module: str, name: str, **arguments: Any) -> Called:
    """Make a component.

    Args:
        package: As pip names it, such as ``"hwcomponents-adc"``.
        module: Where the class is, such as ``"hwcomponents_adc.main"``.
        name: Of the class.
        **arguments: Of the class, in its units: metres, samples per second, bits.

    Returns:
        The component.

    Raises:
        MissingExtraError: If the package is not installed, as on a Python before 3.12.
    """
    found = getattr(_import(module), name)
    with _quiet():
        model = found(**arguments)
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return Called(model, f"{package} {version(package)}, {name}({given})")


def scale(function: str, to_nm: float, from_nm: float) -> tuple[float, str]:
    """Ask how the library moves a number between nodes.

    Args:
        function: Of ``hwcomponents.scaling``, such as ``"tech_node_energy"``.
        to_nm: The node wanted.
        from_nm: The node of the number.

    Returns:
        The factor, and what was called.

    Raises:
        MissingExtraError: As ``call``.
    """
    factor = getattr(_import("hwcomponents.scaling"), function)(metres(to_nm), metres(from_nm))
    citation = f"hwcomponents {version('hwcomponents')}, {function}"
    return float(factor), f"{citation}({metres(to_nm)!r}, {metres(from_nm)!r})"


def metres(nanometres: float) -> float:
    """Return a length as the library takes it, to the last digit.

    Args:
        nanometres: The length.

    Returns:
        Metres.
    """
    return float(f"{nanometres!r}e-9")


def _import(module: str) -> ModuleType:
    try:
        with _without_init(), _quiet():
            return import_module(module)
    except (ImportError, PackageNotFoundError) as error:
        needed = ".".join(map(str, LEAST_PYTHON))
        name = getattr(error, "name", None) or module
        raise MissingExtraError.of(
            name,
            f"on Python >= {needed} (this is {python_version()}) to model a chip's components",
            EXTRA,
        ) from error


@contextmanager
def _without_init() -> Iterator[None]:
    """Let the library's modules be imported one by one.

    Its __init__ imports them all (1.0.58), also those that need hwcomponents-neurosim, which it
    does not declare and which must not be needed: that package declares the MIT licence, but holds
    NeuroSim, which is for non-commercial use.
    """
    spec = None if _LIBRARY in sys.modules else find_spec(_LIBRARY)
    if spec is None:
        yield
        return
    sys.modules[_LIBRARY] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[_LIBRARY]  # others may import it as it is


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out that the package for CACTI does not close the files it reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
