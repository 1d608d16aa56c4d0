"""What the vector unit computes between two layers, counted by one rule.

Every element-wise or pooling operation belongs to the layer executed last before it; what comes
before the first layer belongs to the first. In operations:

- activation function, addition or product of two activations: one per output element. A function
  of one tensor alone (GELU, SiLU, hard swish) is one look-up, however its formula is written;
- pooling: one per element of every window, padding included; a window of one element computes
  nothing. Global pooling: one per input element;
- softmax, layer norm: as many as their formulas written out, ``softmax_ops`` and the like;
- nothing for what folds into the weights or the scale of a neighbouring layer: bias, batch norm in
  inference, a constant per output channel right behind its layer, a constant scalar. Nothing for
  moving data: reshaping, transposing, slicing, concatenating, padding, looking up embeddings.

The counts are a convention of this project, not a measurement.
"""


def pool_ops(outputs: int, window: int) -> int:
    """Count the operations of a maximum or average pooling.

    Args:
        outputs: Elements of the output.
        window: Elements of a window.

    Returns:
        One per element of every window.
    """
    return outputs * window if window > 1 else 0


def softmax_ops(elements: int) -> int:
    """Count the operations of a softmax: maximum, difference, exponential, sum, quotient.

    Args:
        elements: Elements of the tensor.

    Returns:
        Five per element.
    """
    return 5 * elements


def layer_norm_ops(elements: int, rows: int, *, affine: bool = True) -> int:
    """Count the operations of a layer, group or instance norm.

    Mean, difference, square, mean of squares and quotient per element, scale and shift if there
    are any, and one root per row.

    Args:
        elements: Elements of the tensor.
        rows: Statistics, one per row: the tokens of a layer norm.
        affine: Whether scale and shift are learned.

    Returns:
        Operations.
    """
    return (7 if affine else 5) * elements + rows


def rms_norm_ops(elements: int, rows: int, *, affine: bool = True) -> int:
    """Count the operations of a root-mean-square norm.

    Square, mean and product per element, scale if there is one, and one root per row.

    Args:
        elements: Elements of the tensor.
        rows: Statistics, one per row.
        affine: Whether a scale is learned.

    Returns:
        Operations.
    """
    return (4 if affine else 3) * elements + rows
