"""Networks by a word: built in, an ONNX file, or code that makes a torch module."""

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from lrmp.errors import LRMPError, MissingExtraError, NetworkError, unknown_name
from lrmp.hardware.networks import NETWORKS, load_network
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.file_bits import FileBits, read_file_bits

if TYPE_CHECKING:
    from torch import nn

#: What a word may be.
FORMS = (
    "a built-in network, file.onnx, or package.module:factory or path/to/file.py:factory that "
    "makes a torch.nn.Module"
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


@dataclass(frozen=True, slots=True)
class Reading:
    """How a network is read.

    Attributes:
        inputs: Shapes of the inputs, for a torch module or an ONNX file with dynamic axes.
        values: Of inputs of an ONNX file that are to be constants, by name.
        batch_dimension: Dimension of the first input that must be 1; None where there is no batch.
    """

    inputs: Sequence[InputShape] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    batch_dimension: int | None = 0


def read_network(word: str, how: Reading | None = None) -> Network:
    """Find the network that a word stands for.

    Args:
        word: Name of a built-in network, an ONNX file, or ``module:factory``, whose code is run.
        how: How it is read; None where nothing needs saying.

    Returns:
        The network.

    Raises:
        NetworkError: If there is none, it cannot be read, or shapes are missing.
        MissingExtraError: If torch or onnx is needed and not installed.
    """
    how = how or Reading()
    where, colon, factory = word.rpartition(":")
    if word.endswith(".onnx"):
        return _of_onnx(word, how)
    if not colon:
        network = load_network(word) if word in NETWORKS else _unknown(word)
    else:
        with _importable(where):
            made = _make(word, where, factory)
            if not isinstance(made, Network):
                return _of_module(word, made, how)
        network = made
    if how.inputs or how.values:
        raise NetworkError(
            f"Expected no input shapes for {word}, whose layers have their sizes; got "
            f"{len(how.inputs) + len(how.values)}."
        )
    return network


def read_bits(word: str, how: Reading | None = None) -> FileBits:
    """Find the bits that the file of a network has chosen.

    Args:
        word: An ONNX file.
        how: How it is read; None where nothing needs saying.

    Returns:
        The network, and its bits.

    Raises:
        NetworkError: If it is no ONNX file, or cannot be read.
        MissingExtraError: If onnx is not installed.
    """
    if not word.endswith(".onnx"):
        raise NetworkError(
            f"Expected an ONNX file where bits are taken from the file, got {word}, which has none "
            "of its own. Set them by weight_bits and activation_bits."
        )
    how = how or Reading()
    _check_named(how)
    return read_file_bits(
        word,
        input_shapes={shape.name: shape.sizes for shape in how.inputs},
        input_values=how.values,
        batch_dimension=how.batch_dimension,
    )


def make_module(word: str) -> "nn.Module":
    """Make the torch module that a word stands for, whose code is run.

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
    try:
        from lrmp.hardware.readers.from_torch import checked_module
    except ImportError as error:
        raise MissingExtraError.of("torch", f"to read {word}", "train") from error
    with _importable(where):
        return checked_module(word, _make(word, where, factory))


def _unknown(word: str) -> NoReturn:
    raise NetworkError(
        f"{unknown_name('network', word, NETWORKS)} Your own: {FORMS.partition(', ')[2]}."
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


def _of_module(word: str, made: Any, how: Reading) -> Network:
    try:
        from lrmp.hardware.readers.from_torch import network_of_sizes
    except ImportError as error:
        raise MissingExtraError.of("torch", f"to read {word}", "train") from error
    if how.values:
        raise NetworkError(
            f"Expected values of inputs for an ONNX file alone, got {', '.join(how.values)} for "
            f"{word}. Let the factory fix them."
        )
    sizes = [(shape.name, shape.sizes, shape.dtype) for shape in how.inputs]
    name = word.rpartition(":")[2].rpartition(".")[2]
    return network_of_sizes(word, made, sizes, name, how.batch_dimension)


def _check_named(how: Reading) -> None:
    if not all(shape.name for shape in how.inputs):
        raise NetworkError(
            "Expected --input-shape with the name of the input for an ONNX file, such as "
            "x=1,3,224,224; got it without."
        )


def _of_onnx(word: str, how: Reading) -> Network:
    _check_named(how)
    return Network.from_onnx(
        Path(word),
        input_shapes={shape.name: shape.sizes for shape in how.inputs},
        input_values=how.values,
        batch_dimension=how.batch_dimension,
    )
