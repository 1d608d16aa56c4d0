"""Networks on the command line: built in, an ONNX file, or code that makes a torch module."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from functools import reduce
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from lrmp.errors import LRMPError, MissingExtraError, NetworkError, unknown_name
from lrmp.hardware.networks import NETWORKS, load_network
from lrmp.hardware.networks.network import Network

HELP = (
    "a built-in network, file.onnx, or package.module:factory or path/to/file.py:factory that "
    "makes a torch.nn.Module"
)
SHAPE_HELP = (
    "sizes of an input: 1,3,224,224 for a torch module, batch first, or 1,128:int64 for tokens; "
    "NAME=1,3,224,224 for a keyword argument, or an input of an ONNX file with open sizes; repeat "
    "it for further inputs"
)
DTYPES = ("float32", "int64")
_USER_MODULE = "lrmp_user_network"  # a name that no other module has


@dataclass(frozen=True, slots=True)
class InputShape:
    """One input of a network.

    Attributes:
        name: Of a keyword argument or of an input in an ONNX file; empty if there is none.
        sizes: With the batch of 1.
        dtype: Of its elements.
    """

    name: str
    sizes: tuple[int, ...]
    dtype: str

    @classmethod
    def parse(cls, word: str) -> "InputShape":
        """Read a shape from the command line.

        Args:
            word: ``[name=]sizes[:dtype]``, such as ``"1,3,224,224"`` or ``"tokens=1,128:int64"``.

        Returns:
            The input.

        Raises:
            NetworkError: If it is none.
        """
        name, _, shape = word.rpartition("=")
        text, colon, dtype = shape.partition(":")
        sizes = text.split(",")
        if not all(size.isdecimal() and int(size) for size in sizes):
            raise NetworkError(
                f"Expected --input-shape as sizes, such as 1,3,224,224; got {word!r}."
            )
        if colon and dtype not in DTYPES:
            raise NetworkError(unknown_name("the type of --input-shape", dtype, DTYPES))
        return cls(name, tuple(map(int, sizes)), dtype or DTYPES[0])


def read_network(word: str, inputs: Sequence[InputShape] = ()) -> Network:
    """Find the network that a word stands for.

    Args:
        word: Name of a built-in network, an ONNX file, or ``module:factory``.
        inputs: Shapes of the inputs, for a torch module or an ONNX file with dynamic axes.

    Returns:
        The network.

    Raises:
        NetworkError: If there is none, it cannot be read, or shapes are missing.
        MissingExtraError: If torch or onnx is needed and not installed.
    """
    where, colon, factory = word.rpartition(":")
    if word.endswith(".onnx"):
        return _of_onnx(word, inputs)
    if not colon:
        network = load_network(word) if word in NETWORKS else _unknown(word)
    else:
        with _importable(where):
            made = _make(word, where, factory)
            if not isinstance(made, Network):
                return _of_module(word, made, inputs)
        network = made
    if inputs:
        raise NetworkError(
            f"Expected no --input-shape for {word}, whose layers have their sizes; got "
            f"{len(inputs)}."
        )
    return network


def make_module(word: str) -> Any:
    """Make the torch module that a word stands for.

    Args:
        word: ``module:factory``.

    Returns:
        The module.

    Raises:
        NetworkError: If there is none.
        MissingExtraError: If torch is not installed.
    """
    where, colon, factory = word.rpartition(":")
    if not colon:
        _unknown(word)
    with _importable(where):
        return _checked_module(word, _make(word, where, factory))


def _unknown(word: str) -> NoReturn:
    raise NetworkError(
        f"{unknown_name('network', word, NETWORKS)} Your own: {HELP.partition(', ')[2]}."
    )


@contextmanager
def _importable(where: str) -> Iterator[None]:
    """Let the user's code import its neighbours, and keep what it prints out of the output."""
    folder = Path(where).parent if where.endswith(".py") else Path.cwd()
    sys.path.insert(0, str(folder.resolve()))
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path.remove(str(folder.resolve()))
        sys.modules.pop(_USER_MODULE, None)


def _make(word: str, where: str, factory: str) -> Any:
    """Import the user's code and call the factory."""
    is_file = where.endswith(".py")
    if is_file and not Path(where).is_file():
        raise NetworkError(f"Expected a Python file at {where}, got none.")
    try:
        module = _run_file(Path(where)) if is_file else importlib.import_module(where)
        made = _find(module, word, factory)
        return made() if callable(made) and not _is_torch_module(made) else made
    except LRMPError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise NetworkError(
            f"Expected {word} to make a network, got {type(error).__name__}: {error}."
        ) from error


def _find(module: ModuleType, word: str, factory: str) -> Any:
    try:
        return reduce(getattr, factory.split("."), module)
    except AttributeError as error:
        close = get_close_matches(factory, dir(module), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise NetworkError(
            f"Expected {word} to name what makes a network, got no {factory!r} there.{hint}"
        ) from error


def _run_file(path: Path) -> ModuleType:
    spec = spec_from_file_location(_USER_MODULE, path)
    assert spec is not None  # a .py file has a loader
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_USER_MODULE] = module  # as an import does, for dataclasses and pickles
    spec.loader.exec_module(module)
    return module


def _is_torch_module(made: object) -> bool:
    """Tell a module, which is callable, from its factory; without torch there is none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(made, torch.nn.Module)


def _checked_module(word: str, made: Any) -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            f'Expected torch to read {word}; run pip install "lrmp[train]".'
        ) from error
    if not isinstance(made, torch.nn.Module):
        raise NetworkError(
            f"Expected {word} to make a torch.nn.Module or an lrmp.hardware.Network, got "
            f"{type(made).__name__}."
        )
    return made


def _of_module(word: str, made: Any, inputs: Sequence[InputShape]) -> Network:
    _checked_module(word, made)
    import torch

    if not inputs:
        raise NetworkError(
            f"Expected --input-shape for {word}, such as --input-shape 1,3,224,224; got none."
        )
    named = [i.name for i in inputs if i.name]
    if named and len(set(named)) < len(inputs):
        raise NetworkError(
            f"Expected every --input-shape of {word} with a name of its own, or none with one; got "
            f"{len(set(named))} names for {len(inputs)} inputs."
        )
    device = next((parameter.device for parameter in made.parameters()), None)
    tensors = [torch.zeros(i.sizes, dtype=getattr(torch, i.dtype), device=device) for i in inputs]
    example = dict(zip(named, tensors, strict=True)) if named else tuple(tensors)
    return Network.from_torch(made, example, name=word.rpartition(":")[2].rpartition(".")[2])


def _of_onnx(word: str, inputs: Sequence[InputShape]) -> Network:
    if not all(shape.name for shape in inputs):
        raise NetworkError(
            "Expected --input-shape with the name of the input for an ONNX file, such as "
            "x=1,3,224,224; got it without."
        )
    shapes = {shape.name: shape.sizes for shape in inputs}
    try:
        return Network.from_onnx(Path(word), input_shapes=shapes)
    except NetworkError as error:
        if "input_shapes={" not in str(error):
            raise
        raise NetworkError(
            f"{error} On the command line that is --input-shape NAME=1,3,224,224."
        ) from error
