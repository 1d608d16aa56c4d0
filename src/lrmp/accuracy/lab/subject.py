"""What the laboratory measures: a network, and the examples that it is measured on."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.models.staged import StagedModel, layer_modules, layer_name
from lrmp.accuracy.lab.protocol import Protocol, SplitName, identity
from lrmp.accuracy.lab.quantization.recipe import load_recipe
from lrmp.errors import AccuracyDataError, LRMPError
from lrmp.hardware.networks.network import Network

#: Examples, or what loads them when they are needed: the first so many, or all for None.
Given = Examples | Callable[[int | None], Examples]
#: What makes a subject: a function, or ``"package.module:function"``.
Factory = str | Callable[[], "Subject"]

NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
SPLITS: tuple[SplitName, ...] = ("calibration", "search", "test", "training")
_AT_A_TIME = 64


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, and the examples that it is measured on.

    Any module can be one that takes a tensor of shape (B, ...) and gives scores before the softmax,
    shape (B, classes). ``Protocol.subject`` makes those of lrmp's own networks.

    Attributes:
        name: Of the network, and of the files about it.
        module: The float network, in single precision. It is copied, and run in evaluation mode.
        calibration: What quantiser steps and bias corrections are chosen on.
        search: What sensitivities are measured on, and searches may see.
        test: What only a check sees; None where there is nothing.
        training: What fine-tuning may see; None where there is nothing.
        preprocess: Turns a batch of inputs into what the module takes; None if they are that.
        recipe: Of quantisation.
        sensitivity_images: How many of the search examples, from the first, sensitivities are
            measured on; None for all.
        about: Origin and licence of the weights.
        factory: What makes this subject again in worker processes: a function of a module, or
            ``"package.module:function"``; None where nothing does.
        protocol: What fixes all this, of lrmp's own networks.
        layout: The layers as the cost model sees them; None to read them from the module.

    Raises:
        AccuracyDataError: If the module has no layers that crossbars hold or weights of another
            precision, there are too few search examples, or anything else is of the wrong kind.
    """

    name: str
    module: nn.Module
    calibration: Given
    search: Given
    test: Given | None = None
    training: Given | None = None
    preprocess: Callable[[Tensor], Tensor] | None = None
    recipe: str = "ptq-1"
    sensitivity_images: int | None = None
    about: str = "weights of the user's own"
    factory: Factory | None = None
    protocol: Protocol | None = None
    layout: Network | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(NAME, self.name):
            raise AccuracyDataError(
                "Expected a name of at most 64 letters, digits and ._-, which files can have, got "
                f"{self.name!r}."
            )
        load_recipe(self.recipe)
        if not isinstance(self.module, nn.Module):
            raise AccuracyDataError(
                f"Expected a torch.nn.Module, got {type(self.module).__name__}."
            )
        layer_modules(self.module)
        for name, value in self.module.named_parameters():
            if isinstance(value, nn.UninitializedParameter):
                raise AccuracyDataError(
                    f"Expected weights with a shape, got lazy ones in {name}. Run the module once."
                )
            if value.dtype != torch.float32:
                raise AccuracyDataError(
                    "Expected weights of single precision, torch.float32, got "
                    f"{value.dtype} in {name}. Call float() of the module."
                )
        for split in SPLITS:
            given = getattr(self, split)
            needed = split in ("calibration", "search")
            if not (
                isinstance(given, Examples) or callable(given) or (given is None and not needed)
            ):
                raise AccuracyDataError(
                    f"Expected {split} as Examples, or a function that loads them, got "
                    f"{type(given).__name__}. Write {split}=Examples(inputs, labels)."
                )
        count = self.sensitivity_images
        if count is not None and (type(count) is not int or count < 1):
            raise AccuracyDataError(
                "Expected sensitivity_images as a whole number of at least 1, or None for all, got "
                f"{count!r}."
            )
        if isinstance(self.search, Examples):
            self._check_count(self.search)

    def examples(self, split: SplitName, limit: int | None = None) -> Examples:
        """Look up examples, or load them.

        Args:
            split: Which.
            limit: The first so many alone; None for all.

        Returns:
            The examples.

        Raises:
            AccuracyDataError: If there are none, or too few.
        """
        given: Given | None = getattr(self, split)
        if given is None:
            raise AccuracyDataError(
                f"Expected a network with a {split} split, got {self.name}, whose "
                f"{split} images are not at hand."
            )
        found = given.first(limit) if isinstance(given, Examples) else given(limit)
        if not isinstance(found, Examples):
            raise AccuracyDataError(
                f"Expected what loads the {split} images to return Examples, got "
                f"{type(found).__name__}."
            )
        if split == "search" and limit is None:
            self._check_count(found)
        return found

    def _check_count(self, search: Examples) -> None:
        if self.sensitivity_images is not None and self.sensitivity_images > len(search):
            raise AccuracyDataError(
                f"Expected at least {self.sensitivity_images} search images, which is what "
                f"sensitivity_images asks for, got {len(search)}."
            )

    def batches(
        self, split: SplitName, size: int, limit: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Load examples in batches.

        Args:
            split: Which.
            size: Of a batch.
            limit: The first so many examples alone; None for all.

        Yields:
            What the module takes, shape (B, ...), and labels, shape (B,), if they are known.

        Raises:
            AccuracyDataError: If there are none, or preprocessing gives something else.
        """
        for inputs, labels in self.examples(split, limit).batches(size):
            yield self._prepared(inputs), labels

    def first_input(self) -> Tensor:
        """Load one calibration example.

        Returns:
            What the module takes, shape (1, ...).
        """
        return next(self.batches("calibration", 1, limit=1))[0]

    def _prepared(self, inputs: Tensor) -> Tensor:
        prepared = inputs if self.preprocess is None else self.preprocess(inputs)
        if not isinstance(prepared, Tensor) or prepared.shape[:1] != inputs.shape[:1]:
            raise AccuracyDataError(
                f"Expected preprocess to give a tensor of {len(inputs)} inputs for as many, got "
                f"{_shown(prepared)}."
            )
        # A module may write into what it is given, and the examples are the user's.
        prepared = prepared.detach().clone()
        return prepared.float() if prepared.dtype == torch.float64 else prepared

    @cached_property
    def identity(self) -> str:
        """SHA-256 of what results depend on: weights, structure, examples and recipe.

        What ``forward`` computes between the layers is not seen, only what the module prints of
        itself: changed code deserves another name.
        """
        if self.protocol is not None:
            return identity(self.protocol)
        head = {
            "module": re.sub("0x[0-9a-f]+", "", str(self.module)),
            "recipe": self.recipe,
            "sensitivity_images": self.sensitivity_images,
        }
        digest = hashlib.sha256(json.dumps(head).encode())
        for name, value in (*self.module.named_parameters(), *self.module.named_buffers()):
            _add(digest, name, value)
        for split in ("calibration", "search", "test"):
            if getattr(self, split) is not None:
                for inputs, labels in self.batches(split, _AT_A_TIME):
                    _add(digest, split, inputs)
                    if labels is not None:
                        _add(digest, split, labels)
        return digest.hexdigest()

    @property
    def conditions(self) -> dict[str, Any]:
        """What the numbers of a table depend on, as its provenance states it."""
        if self.protocol is not None:
            return self.protocol.conditions
        return {
            "sha256": self.identity,
            "recipe": self.recipe,
            **{split: f"{len(self.examples(split))} of the user's own" for split in SPLITS[:2]},
            "sensitivity_images": self.sensitivity_images or len(self.examples("search")),
        }

    def network(self) -> Network:
        """Read what the network costs on chips: ``Network.from_torch`` of the first example.

        Returns:
            Its layers, or the layout that was given; a table of this subject has the same ones.

        Raises:
            NetworkError: If the module cannot be traced, or runs an operator that is not known.
        """
        if self.layout is not None:
            return self.layout
        given = self.first_input()
        beside = next(self.module.parameters())
        example = beside.new_empty(given.shape, dtype=given.dtype).copy_(given)
        found = Network.from_torch(self.module, example, name=self.name)
        if not isinstance(self.module, StagedModel):
            return found
        layers = (replace(layer, name=layer_name(layer.name)) for layer in found.layers)
        return replace(found, layers=tuple(layers))


def make_subject(factory: Factory) -> Subject:
    """Make a subject by the name of what makes it.

    Args:
        factory: A function without arguments, or ``"package.module:function"``.

    Returns:
        The subject; a name becomes its factory.

    Raises:
        AccuracyDataError: If there is no such function, or it makes no subject.
    """
    if not isinstance(factory, str):
        return factory()
    try:
        found = resolve_name(factory)
        made = found() if callable(found) else found
    except LRMPError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise AccuracyDataError(
            f"Expected 'package.module:function', which makes a Subject, got {factory!r}: "
            f"{type(error).__name__}: {error}."
        ) from error
    if not isinstance(made, Subject):
        raise AccuracyDataError(f"Expected {factory} to make a Subject, got {type(made).__name__}.")
    return replace(made, factory=factory)


def _add(digest: Any, name: str, value: Tensor) -> None:
    """Add a tensor to a hash: what it is called, its shape and its bytes."""
    digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
    whole = value.detach().cpu().contiguous().reshape(-1)
    digest.update(whole.view(torch.uint8).numpy().tobytes())


def _shown(found: object) -> str:
    return f"one of shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(type(found))
