"""Draws random tasks that look like the measured ones."""

import hashlib
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.procedural.sensitivities import Rng, draw_accuracy, in_space
from lrmp.envs.procedural.space_generator import (
    PINNED,
    draw_space,
    is_test_space,
    pinned,
    with_features,
)
from lrmp.envs.task.task import Task
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network, chain
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

Split = Literal["train", "test"]
INSTANCES = 2**31  # of each split, that environments draw from
SEEDS = 2**256  # numbers of instances: whoever draws one at random is not found out by trying all
ALLOWED_DROP = 1.0  # points
DRAWS = 1000  # of one instance; a test instance takes 8 on average, a training instance 1.1
TEST_SHARE = 1 / 8  # of all topologies
LEAST_LAYERS, MOST_LAYERS = 4, 64
#: What is drawn: tasks that turn bits of weights and activations, or spaces with them.
Draws = Literal["precision", "spaces"]


def draw_task(
    split: Split, number: int, objective: Objective = "latency", draws: Draws = "precision"
) -> Task:
    """Draw an instance of the family.

    With ``draws="precision"``, as `LRMP-Procedural-v0` does, network, chip, budget and
    sensitivities are drawn independently:

    - network: a convolutional net of 4 to 64 layers (log-uniform) in 2 to 4 stages; the first stage
      has 16, 32 or 64 channels on maps of side 16, 28, 32, 56 or 112; every stage doubles the
      channels and halves the side; kernels are 3 x 3, and every network has a share of 1 x 1
      kernels, 0 to 60 %; a first convolution of stride 1 or 2 from 3 channels, and a classifier of
      10, 100 or 1000 classes;
    - chip: LRMP's, but crossbars of 64, 128 or 256 rows and columns, cells of 1, 2 or 4 bits, 8 to
      64 active rows (at most all), 4, 8 or 16 columns per ADC, 1, 2 or 4 output elements per cycle;
    - budget: 1 to 2 times (log-uniform) the plain 8-bit design's tiles;
    - sensitivities: normal distributions of the numbers in ``distributions.toml``, which are fitted
      to the measured networks: log10 of a divergence is linear in depth and bits, with normal rest,
      correlated between the operands; the drop is a power of the sum, cut into a monotone
      piecewise linear map.

    With ``draws="spaces"``, as `LRMP-Procedural-Spaces-v0` does, a space is drawn, too
    (`draw_space`), and the chip has what its knobs need (`with_features`); in a quarter of the
    instances the first and the last layer stay plain. The test split has a quarter of all spaces
    for itself, beside its topologies, which are those of both families.

    What is drawn is drawn again, all of it, until the plain 8-bit design loses at most the allowed
    point, so that the best return is never below zero, and until the topology is one of the
    split's: an eighth of all topologies are for tests alone (`split_of`).

    Args:
        split: ``"train"`` or ``"test"``: their instances have different seeds and no topology in
            common.
        number: 0 to 2**256 - 1; environments draw from the first 2**31.
        objective: What is minimised.
        draws: Whether spaces are drawn, too.

    Returns:
        The task, the same for the same arguments; ``instance_id`` names it.

    Raises:
        TaskError: If there is no such split, number or kind of draws.
    """
    if split not in get_args(Split):
        raise TaskError(unknown_name("split", split, get_args(Split)))
    if draws not in get_args(Draws):
        raise TaskError(unknown_name("draws", draws, get_args(Draws)))
    if not 0 <= number < SEEDS:
        raise TaskError(f"Expected an instance of 0 to 2**256 - 1, got {number}.")
    # The first word parts the splits, the last one, if there is one, the families: no seed of one
    # is a seed of the other among the instances that environments draw.
    family = () if draws == "precision" else (1,)
    for draw in range(DRAWS):
        rng = np.random.default_rng([get_args(Split).index(split), number, draw, *family])
        space = PRECISION if draws == "precision" else draw_space(rng)
        if draws == "spaces" and is_test_space(space) != (split == "test"):
            continue
        network = draw_network(rng)
        if split_of(network) == split and (drawn := _draw_on(rng, network, space)):
            accelerator, space, accuracy, budget = drawn
            return Task(
                id=instance_id(split, number, draws),
                workload=Workload((Tenant(network, GivenAccuracy(accuracy), ALLOWED_DROP),)),
                accelerator=accelerator,
                budget=budget,
                objective=objective,
                space=space,
            )
    raise TaskError(
        f"Expected one of {DRAWS} draws of {split} instance {number} to be of the split's "
        f"topologies and to lose at most {ALLOWED_DROP:g} point at 8 bits, got none. Take another "
        "number."
    )


def instance_id(split: Split, number: int, draws: Draws = "precision") -> str:
    """Name an instance.

    Args:
        split: ``"train"`` or ``"test"``.
        number: Of the instance.
        draws: Whether spaces are drawn, too.

    Returns:
        The id of its task, whatever the objective.
    """
    family = "Procedural" if draws == "precision" else "Procedural-Spaces"
    return f"LRMP-{family}-{split}-{number}"


def split_of(network: Network) -> Split:
    """Say on which side of the family a topology falls.

    Args:
        network: Any network; rows, columns and positions of its layers count.

    Returns:
        ``"test"`` for an eighth of all topologies, told by a hash, ``"train"`` for the others.
    """
    shapes = np.stack([network.rows, network.columns, network.positions])
    first = hashlib.sha256(shapes.astype("<i8").tobytes()).digest()[0]
    return "test" if first < 256 * TEST_SHARE else "train"


def draw_network(rng: Rng) -> Network:
    """Draw a convolutional network.

    Args:
        rng: Source of randomness.

    Returns:
        4 to 64 layers.
    """
    count = round(LEAST_LAYERS * (MOST_LAYERS / LEAST_LAYERS) ** rng.random())
    stages = min(int(rng.integers(2, 5)), count - 2)
    side = int(rng.choice([16, 28, 32, 56, 112]))
    channels = int(rng.choice([16, 32, 64]))
    pointwise = 0.6 * rng.random()
    stride = int(rng.integers(1, 3))
    kernel = 3 if stride == 1 else int(rng.choice([3, 7]))
    layers = [Layer.conv2d("conv0", 3, channels, kernel, side * stride, stride)]
    # Which layers after the first begin a stage: the second, and others at random.
    middle = count - 2
    starts = (
        {0, *(1 + rng.choice(middle - 1, stages - 1, replace=False)).tolist()}
        if stages > 1
        else {0}
    )
    for index in range(middle):
        first = index in starts and index > 0
        kernel = 1 if rng.random() < pointwise else 3
        step = 2 if first and side > 4 else 1
        wider = 2 * channels if first else channels
        layers.append(Layer.conv2d(f"conv{index + 1}", channels, wider, kernel, side, step))
        side, channels = -(-side // step), wider
    layers.append(Layer.linear("fc", channels, int(rng.choice([10, 100, 1000]))))
    return Network("procedural", tuple(layers), chain(len(layers)))


def draw_accelerator(rng: Rng) -> Accelerator:
    """Draw a variant of LRMP's chip.

    Args:
        rng: Source of randomness.

    Returns:
        The chip; its energies and areas are those of LRMP's, whatever its size.
    """
    side = int(rng.choice([64, 128, 256]))
    return replace(
        load_preset("lrmp_frontiers_2024"),
        name="procedural",
        crossbar_rows=side,
        crossbar_columns=side,
        cell_bits=int(rng.choice([1, 2, 4])),
        active_rows=int(min(side, rng.choice([8, 16, 32, 64]))),
        columns_per_adc=int(rng.choice([4, 8, 16])),
        output_elements_per_cycle=int(rng.choice([1, 2, 4])),
        provenance={},
    )


def _draw_on(
    rng: Rng, network: Network, space: DesignSpace
) -> tuple[Accelerator, DesignSpace, TableAccuracy, int] | None:
    """Draw chip, sensitivities and budget; None if the plain design loses too much."""
    spaces_are_drawn = space is not PRECISION
    accelerator = draw_accelerator(rng)
    if spaces_are_drawn:
        accelerator = with_features(accelerator, space, rng)
    accuracy = draw_accuracy(rng, len(network), space)
    if accuracy.drop(Design.plain(len(network), space)) > ALLOWED_DROP:
        return None
    budget = int(CostModel(network, accelerator, space).baseline.tiles * 2 ** rng.random())
    if spaces_are_drawn and rng.random() < PINNED:
        space = pinned(space, len(network))
        accuracy = in_space(accuracy, space)
    return accelerator, space, accuracy, budget
