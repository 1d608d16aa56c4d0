"""Quantisation recipes by versioned name."""

from dataclasses import dataclass

from lrmp.errors import AccuracyDataError, unknown_name


@dataclass(frozen=True)
class Recipe:
    """How a network is quantised. A change of behaviour is a new name.

    All recipes share: weights symmetric per output channel, integers -(2^(b-1) - 1) to
    2^(b-1) - 1; activations per tensor at the input of a layer, integers 0 to 2^b - 1 where the
    calibration images show no negative value (behind a ReLU), else two's complement, -2^(b-1) to
    2^(b-1) - 1; biases, batch norm and additions in float; steps of least squared error among
    ``clip_ratios`` of the largest magnitude.

    Attributes:
        name: With version, such as ``"ptq-1"``.
        bias_correction: Whether the mean error that rounded weights cause in each output channel
            is taken from its bias (Nagel et al., ICCV 2019), from the calibration images.
        weight_clip_ratios: Smallest ratio and number of candidates, geometric up to 1.
        activation_clip_ratios: The same for activations, whose outliers are larger.
        activation_samples: Values per layer that the activation steps are chosen on.
    """

    name: str
    bias_correction: bool = True
    weight_clip_ratios: tuple[float, int] = (0.1, 40)
    activation_clip_ratios: tuple[float, int] = (0.02, 60)
    activation_samples: int = 2**17


RECIPES: dict[str, Recipe] = {
    "ptq-1": Recipe("ptq-1"),
    "ptq-1-uncorrected": Recipe("ptq-1-uncorrected", bias_correction=False),
}


def load_recipe(name: str) -> Recipe:
    """Look up a recipe.

    Args:
        name: A key of ``RECIPES``.

    Returns:
        The recipe.

    Raises:
        AccuracyDataError: If there is no such recipe.
    """
    if name not in RECIPES:
        raise AccuracyDataError(unknown_name("recipe", name, RECIPES))
    return RECIPES[name]
