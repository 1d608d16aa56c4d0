"""The equations of ``einsum``, as PyTorch, NumPy and ONNX write them."""

from collections.abc import Sequence
from string import ascii_letters


def einsum_terms(equation: str, ranks: Sequence[int]) -> tuple[str, ...] | None:
    """Give every axis a letter: an ellipsis letters of its own, an output left out its axes.

    Args:
        equation: Such as ``"bij,bjk->bik"``, ``"...k,km->...m"`` or ``"ij,jk"``.
        ranks: Axes of the operands.

    Returns:
        The letters of every operand, then those of the result; None if the equation is none, or
        does not fit the operands.
    """
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    operands = inputs.split(",")
    letters = set(equation) & set(ascii_letters)
    spare = [letter for letter in ascii_letters if letter not in letters]
    if len(operands) != len(ranks) or set(equation) - letters - set(" ,.->"):
        return None
    terms, widest = [], 0
    for operand, rank in zip(operands, ranks, strict=True):
        named = operand.replace("...", "", 1)
        width = rank - len(named)
        if "." in named or width < 0 or (width and "..." not in operand) or width > len(spare):
            return None
        # Ellipses are aligned at their last axes, as in broadcasting.
        terms.append(operand.replace("...", "".join(reversed(spare[:width]))))
        widest = max(widest, width)
    around = "".join(reversed(spare[:widest]))
    if arrow:
        result = out.replace("...", around, 1)
    else:
        result = around + "".join(sorted(x for x in letters if inputs.count(x) == 1))
    known = set("".join(terms))
    return None if set(result) - known or len(set(result)) < len(result) else (*terms, result)
