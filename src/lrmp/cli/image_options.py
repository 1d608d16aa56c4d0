"""What is done to pixels, on the command line."""

import argparse
from typing import Any

from lrmp.accuracy.lab.images.own_images import Pixels


def add_pixels(parser: Any) -> None:
    """Offer ``--scale``, ``--mean``, ``--std`` and ``--resize``.

    Args:
        parser: Of a command, or a group of it.
    """
    parser.add_argument(
        "--scale", type=float, help="pixels are divided by it; default: 255 for bytes"
    )
    parser.add_argument(
        "--mean", type=_numbers, default=(), metavar="A,B,C", help="taken from scaled pixels"
    )
    parser.add_argument(
        "--std", type=_numbers, default=(), metavar="A,B,C", help="which these are divided by"
    )
    parser.add_argument(
        "--resize",
        type=int,
        metavar="N",
        help="resize files to a short side of N, cut the middle out; default: refuse other sizes",
    )


def given_pixels(options: argparse.Namespace) -> Pixels:
    """Read what ``add_pixels`` offers.

    Args:
        options: Of the command.

    Returns:
        What is done to pixels.

    Raises:
        AccuracyDataError: If a number is out of range.
    """
    return Pixels(options.scale, options.mean, options.std, options.resize)


def _numbers(word: str) -> tuple[float, ...]:
    return tuple(map(float, word.split(",")))
