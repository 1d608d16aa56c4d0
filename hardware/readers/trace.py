"""Turns the operators of a foreign network, one by one, into layers and vector operations."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, prod
from typing import NoReturn

from lrmp.errors import NetworkError
from lrmp.hardware.networks.layer import GRU_VECTOR_OPS, LSTM_VECTOR_OPS, Layer, LayerKind
from lrmp.hardware.networks.network import Edges, Network
from lrmp.hardware.networks.vector_operations import (
    layer_norm_ops,
    pool_ops,
    rms_norm_ops,
    softmax_ops,
)
from lrmp.hardware.readers.einsum import einsum_terms

Shape = tuple[int, ...]

#: Of the matrix and of what is multiplied by it; None where they are not quantised.
Bits = tuple[int | None, int | None]

#: Gates and vector operations per hidden unit of recurrent cells.
CELLS = {"lstm": (4, LSTM_VECTOR_OPS), "gru": (3, GRU_VECTOR_OPS), "rnn": (1, 1)}

_CONVOLUTIONS: dict[int, LayerKind] = {1: "conv1d", 2: "conv2d", 3: "conv3d"}


@dataclass(eq=False, slots=True)
class Value:
    """A tensor of the traced network.

    Attributes:
        shape: Its sizes.
        key: Identity of a constant, which is known before the run; None if it depends on the input.
        parameter: Name of the parameter that a constant comes from, if there is exactly one.
        parents: What it was computed from.
        root: The tensor that this one is an element-wise function of; None for itself.
        looked_up: Whether the function of ``root`` has been counted.
        columns: Axis of the layer's columns, while constants per column fold into the layer.
        distinct: Elements that are no padding and no copies; None for all.
        scores: The product of activations that this one holds, maybe scaled and masked.
        weights: Whether it holds the softmax of such a product.
        bits: Of the integers that it is quantised to; None if it is not, as far as is known.
        base: The tensor whose memory this one is a view of; None for its own.
        written: What was last written into the memory.
    """

    shape: Shape
    key: Hashable | None = None
    parameter: str | None = None
    parents: "tuple[Value, ...]" = ()
    root: "Value | None" = None
    looked_up: bool = False
    columns: int | None = None
    distinct: int | None = None
    scores: "_Call | None" = None
    weights: bool = False
    bits: int | None = None
    base: "Value | None" = None
    written: "Value | None" = None

    @property
    def memory(self) -> "Value":
        """The tensor that owns the memory."""
        value = self
        while value.base is not None:
            value = value.base
        return value

    @property
    def constant(self) -> bool:
        """Whether it is known before the run."""
        return self.key is not None and self.memory.written is None

    @property
    def size(self) -> int:
        """Elements."""
        return prod(self.shape)

    @property
    def source(self) -> "Value":
        """The tensor that this one is an element-wise function of, maybe itself."""
        return self if self.root is None else self.root


@dataclass(eq=False, slots=True)
class _Call:
    """One use of a layer's matrix."""

    layer: Layer
    key: Hashable | None
    output: Value
    where: str
    bits: "Bits" = (None, None)
    vector_ops: int = 0


@dataclass(slots=True)
class Trace:
    """Records operators in the order in which they run, and makes a network of them.

    The rule of ``vector_operations`` decides what is counted. A matrix used several times is one
    layer: its positions add up, and those that wait for each other become its ``time_steps``.

    Attributes:
        name: Name of the network.
    """

    name: str
    _values: list[Value] = field(default_factory=list)
    _calls: list[_Call] = field(default_factory=list)
    _early_ops: int = 0
    _bits: tuple[Bits, ...] = ()

    # -- tensors ---------------------------------------------------------------------------

    def input(self, shape: Sequence[int]) -> Value:
        """Add a tensor that the network is given."""
        return self._new(Value(tuple(shape)))

    def known(
        self,
        shape: Sequence[int],
        key: Hashable,
        parameter: str | None = None,
        bits: int | None = None,
    ) -> Value:
        """Add a tensor that is known before the run: a parameter or made of some.

        Args:
            shape: Its sizes.
            key: Equal for equal tensors.
            parameter: Name of the one parameter it is made of.
            bits: Of its integers; None if it is not quantised.

        Returns:
            The tensor.
        """
        return self._new(Value(tuple(shape), key=key, parameter=parameter, bits=bits))

    def _new(self, value: Value) -> Value:
        writes = (p.memory.written for p in value.parents)
        value.parents += tuple(w for w in writes if w is not None)
        self._values.append(value)
        return value

    # -- what costs nothing ----------------------------------------------------------------

    def same(self, x: Value, shape: Sequence[int] | None = None) -> Value:
        """Pass a tensor on unchanged: cast, dropout, folded batch norm, quantisation."""
        return self._new(
            Value(
                x.shape if shape is None else tuple(shape),
                key=x.key,
                parameter=x.parameter,
                parents=(x,),
                root=x.source,
                looked_up=x.looked_up,
                columns=x.columns,
                distinct=x.distinct,
                scores=x.scores,
                weights=x.weights,
                bits=x.bits,
            )
        )

    def move(
        self, inputs: Sequence[Value], shape: Sequence[int], *, keeps_elements: bool = False
    ) -> Value:
        """Move data: reshape, transpose, slice, concatenate, pad, look up.

        Args:
            inputs: What is moved.
            shape: Of the result.
            keeps_elements: Whether the result holds every element of the one input, besides
                padding or copies.

        Returns:
            The result.
        """
        value = Value(tuple(shape), parents=tuple(inputs), bits=common_bits(inputs))
        if len(inputs) == 1:
            value.scores, value.weights = inputs[0].scores, inputs[0].weights
        if keeps_elements:
            value.distinct = inputs[0].size if inputs[0].distinct is None else inputs[0].distinct
        return self._new(value)

    # -- the vector unit -------------------------------------------------------------------

    def count(self, inputs: Sequence[Value], shape: Sequence[int], operations: int) -> Value:
        """Count operations of the vector unit.

        Args:
            inputs: Operands.
            shape: Of the result.
            operations: How many.

        Returns:
            The result.
        """
        self._add_ops(operations)
        return self._new(Value(tuple(shape), parents=tuple(inputs)))

    def _add_ops(self, operations: int) -> None:
        if self._calls:
            self._calls[-1].vector_ops += operations
        else:
            self._early_ops += operations

    def pointwise(
        self, inputs: Sequence[Value], shape: Sequence[int], *, affine: bool = False
    ) -> Value:
        """Count an element-wise operation with broadcasting.

        Args:
            inputs: Operands; numbers need not be given.
            shape: Of the result.
            affine: Whether it adds to its one operand that is no constant, or scales it.

        Returns:
            The result.
        """
        operands = [x for x in inputs if not x.constant]
        constants = [x for x in inputs if x.constant]
        x = operands[0]
        uniform = all(c.size == 1 for c in constants)
        foldable = affine and len(operands) == 1 and x.size == prod(shape)
        if foldable and (uniform or _is_per_column(x, constants)):
            return self.same(x, shape)
        if uniform and len({id(o.source) for o in operands}) == 1 and x.size == prod(shape):
            # A function of one tensor is one look-up, however its formula is written.
            if not any(o.looked_up for o in operands):
                self._add_ops(prod(shape))
            return self._new(
                Value(
                    tuple(shape),
                    parents=tuple(operands),
                    root=x.source,
                    looked_up=True,
                    distinct=x.distinct,
                    bits=common_bits(operands),
                )
            )
        value = self.count(operands, shape, prod(shape))
        value.scores = x.scores  # a mask may be added to them
        return value

    def pool(self, x: Value, shape: Sequence[int], window: int) -> Value:
        """Count a maximum or average pooling.

        Args:
            x: Its input.
            shape: Of the result.
            window: Elements of a window.

        Returns:
            The result.
        """
        if window == 1:
            return self.move([x], shape)
        return self.count([x], shape, pool_ops(prod(shape), window))

    def reduce(self, x: Value, shape: Sequence[int], passes: int = 1) -> Value:
        """Count a sum, mean or maximum over some axes: one per input element and pass."""
        return self.count([x], shape, passes * x.size)

    def softmax(self, x: Value) -> Value:
        """Count a softmax or log-softmax; behind a product of activations it is an attention."""
        value = self.count([x], x.shape, softmax_ops(x.size))
        if x.scores is not None:
            x.scores.layer = replace(x.scores.layer, name=dotted(x.scores.where, "qk"))
            value.weights = True
        return value

    def layer_norm(self, x: Value, rows: int, *, affine: bool) -> Value:
        """Count a layer, group or instance norm with this many statistics."""
        return self.count([x], x.shape, layer_norm_ops(x.size, rows, affine=affine))

    def rms_norm(self, x: Value, rows: int, *, affine: bool) -> Value:
        """Count a root-mean-square norm with this many statistics."""
        return self.count([x], x.shape, rms_norm_ops(x.size, rows, affine=affine))

    # -- layers ----------------------------------------------------------------------------

    def convolve(
        self,
        x: Value,
        weight: Value,
        shape: Sequence[int],
        *,
        strides: Sequence[int],
        groups: int,
        channels_axis: int,
        where: str,
    ) -> Value:
        """Record a convolution of up to three dimensions.

        Args:
            x: Input, shape (N, C, ...) or (C, ...).
            weight: Shape (M, C / groups, kernel ...).
            shape: Of the result.
            strides: Steps of the kernel.
            groups: Groups of channels.
            channels_axis: Axis of the channels in the result, 0 or 1.
            where: What to call the layer if its weight has no name.

        Returns:
            The result.
        """
        kernel = weight.shape[2:]
        kind = _convolution(len(kernel), where)
        name = self._layer_name(weight, where or kind)
        _check_channels(name, x.shape[-len(kernel) - 1], weight.shape[1] * groups)
        layer = Layer(
            name=name,
            kind=kind,
            rows=prod(weight.shape[1:]),
            columns=weight.shape[0],
            positions=_without(shape, channels_axis),
            kernel_size=max(kernel),
            stride=max(strides),
            groups=groups,
            input_elements=x.size if x.distinct is None else x.distinct,
        )
        return self._call(layer, weight, (x, weight), shape, channels_axis, bits=_bits(weight, x))

    def convolve_transposed(
        self,
        x: Value,
        weight: Value,
        shape: Sequence[int],
        *,
        groups: int,
        channels_axis: int,
        where: str,
    ) -> Value:
        """Record a transposed convolution: every input position gives a whole kernel of outputs.

        Kernels that overlap are added by the vector unit, what padding cuts off among them.

        Args:
            x: Input, shape (N, C, ...) or (C, ...).
            weight: Shape (C, M / groups, kernel ...).
            shape: Of the result.
            groups: Groups of channels.
            channels_axis: Axis of the channels in the result, 0 or 1.
            where: What to call the layer if its weight has no name.

        Returns:
            The result.
        """
        axes = len(weight.shape) - 2
        kind = _convolution(axes, where)
        name = self._layer_name(weight, where or kind)
        channels = x.shape[-axes - 1]
        _check_channels(name, channels, weight.shape[0])
        layer = Layer(
            name=name,
            kind=kind,
            rows=channels // groups,
            columns=groups * prod(weight.shape[1:]),
            positions=x.size // channels,
            groups=groups,
            input_elements=x.size if x.distinct is None else x.distinct,
        )
        value = self._call(layer, weight, (x, weight), shape, channels_axis, bits=_bits(weight, x))
        self._add_ops(max(0, layer.outputs - prod(shape)))
        return value

    def contract(
        self,
        left: Value,
        right: Value,
        terms: tuple[str, str, str],
        shape: Sequence[int],
        *,
        where: str,
    ) -> Value:
        """Record a product that sums over common axes: linear layers and products of activations.

        Args:
            left: First operand.
            right: Second operand; it is the matrix of two activations.
            terms: A letter per axis of the operands and the result, as in ``einsum``.
            shape: Of the result.
            where: What to call the layer if its matrix has no name.

        Returns:
            The result.
        """
        matrix, stream = (left, right) if left.constant else (right, left)
        a, b = terms[:2] if matrix is right else (terms[1], terms[0])
        sizes: dict[str, int] = {}
        for labels, value in ((a, stream), (b, matrix)):
            for label, size in zip(labels, value.shape, strict=True):
                sizes[label] = max(size, sizes.get(label, 1)) if size else 0
        # An axis of size 1 is broadcast, so it belongs to the other operand alone.
        in_a = {label for label, size in zip(a, stream.shape, strict=True) if size != 1}
        in_b = {label for label, size in zip(b, matrix.shape, strict=True) if size != 1}
        out = set(terms[2])
        if len(set(a)) < len(a) or len(set(b)) < len(b) or not in_a ^ in_b <= out:
            unsupported(f"a product with the terms {','.join(terms[:2])}->{terms[2]}", where)
        if not (set(a) & set(b)) - out:
            return self.pointwise((left, right), shape)

        def elements(labels: set[str]) -> int:
            return prod(sizes[label] for label in labels)

        groups = elements(in_a & in_b & out)
        free = elements((in_b - in_a) & out)
        layer = Layer(
            name=self._layer_name(matrix, where or "linear")
            if matrix.constant
            else dotted(where, "av" if stream.weights else "matmul"),
            kind="linear" if matrix.constant else "matmul",
            rows=elements((set(a) & set(b)) - out),
            columns=groups * free,
            positions=elements((in_a - in_b) & out),
            groups=groups,
        )
        outer = [label for label in b if label in in_b - in_a and label in out]
        axis = terms[2].index(outer[0]) if len(outer) == 1 and groups == 1 else None
        weight = matrix if matrix.constant else None
        bits = _bits(matrix, stream)
        value = self._call(layer, weight, (left, right), shape, axis, where, bits=bits)
        if weight is None:
            value.scores = self._calls[-1]
        if len(b) == 2 and b[-1] in out:  # kept apart from uses of the transposed matrix
            self._calls[-1].key = transposed(self._calls[-1].key)
        return value

    def einsum(
        self, equation: str, operands: Sequence[Value], shape: Sequence[int], *, where: str
    ) -> Value:
        """Record a sum of products that is written as an equation.

        Args:
            equation: As ``einsum_terms`` reads it.
            operands: One or two.
            shape: Of the result.
            where: What to call the layer if its matrix has no name.

        Returns:
            The result.
        """
        terms = einsum_terms(equation, [len(x.shape) for x in operands])
        if terms is None or len(terms) not in (2, 3):
            unsupported(f"einsum of {equation!r} and {len(operands)} operands", where)
        if len(terms) == 3:
            left, right, out = terms
            a, b = operands
            return self.contract(a, b, (left, right, out), shape, where=where)
        (x,), (axes, kept) = operands, terms
        if len(set(axes)) < len(axes):
            return self.move([x], shape)  # a diagonal
        whole = len(axes) == len(kept)
        return self.move([x], shape, keeps_elements=True) if whole else self.reduce(x, shape)

    def matmul(
        self,
        left: Value,
        right: Value,
        shape: Sequence[int],
        *,
        where: str,
        transposed: bool = False,
    ) -> Value:
        """Record a matrix product with broadcast leading axes.

        Args:
            left: Shape (..., N, K) or (K,).
            right: Shape (..., K, M), or (..., M, K) if transposed, or (K,).
            shape: Of the result.
            where: What to call the layer if its matrix has no name.
            transposed: Whether the last two axes of ``right`` are swapped.

        Returns:
            The result.
        """
        batch = "abcdefgh"
        depth = max(len(left.shape), len(right.shape)) - 2
        a = "k" if len(left.shape) == 1 else batch[depth + 2 - len(left.shape) : depth] + "nk"
        tail = "mk" if transposed else "km"
        b = "k" if len(right.shape) == 1 else batch[depth + 2 - len(right.shape) : depth] + tail
        out = batch[: max(depth, 0)]
        out += "n" * ("n" in a) + "m" * ("m" in b)
        return self.contract(left, right, (a, b, out), shape, where=where)

    def recurrent(
        self,
        cell: str,
        x: Value,
        weights: Value,
        *,
        input_size: int,
        hidden_size: int,
        steps: int,
        batch: int,
        state: Sequence[Value],
        where: str,
        shape: Sequence[int],
    ) -> Value:
        """Record one direction of one LSTM, GRU or plain recurrent layer.

        Args:
            cell: A key of ``CELLS``.
            x: Its input.
            weights: Weights of the input, by which the layer is known.
            input_size: Inputs per step.
            hidden_size: Hidden units.
            steps: Time steps of this use.
            batch: Sequences side by side.
            state: Initial states.
            where: What to call the layer if its weights have no name.
            shape: Of the result.

        Returns:
            The hidden states of all steps.
        """
        gates, ops = CELLS[cell]
        layer = Layer(
            name=self._layer_name(weights, where or cell),
            kind="recurrent",
            rows=input_size + hidden_size,
            columns=gates * hidden_size,
            positions=steps * batch,
            time_steps=steps,
        )
        value = self._call(layer, weights, (x, *state), shape, None, bits=_bits(weights, x))
        self._calls[-1].vector_ops += ops * hidden_size * steps * batch
        return value

    def attention(
        self,
        query: Value,
        key: Value,
        value: Value,
        shape: Sequence[int],
        *,
        masked: bool,
        where: str,
    ) -> Value:
        """Record ``softmax(Q.K^T + mask).V``; its scale folds into the query.

        Args:
            query: Shape (..., heads, N, D).
            key: Shape (..., heads, S, D); fewer heads are shared by groups of query heads.
            value: Shape (..., heads, S, E).
            shape: Of the result, (..., heads, N, E).
            masked: Whether a mask is added to the scores.
            where: Prefix of the layers ``qk`` and ``av``.

        Returns:
            The result.
        """
        heads, tokens = prod(key.shape[:-2]), key.shape[-2]
        rows = prod(query.shape[:-1])
        layers = [
            Layer.matmul(dotted(where, "qk"), query.shape[-1], tokens, rows // heads, heads=heads),
            Layer.matmul(dotted(where, "av"), tokens, value.shape[-1], rows // heads, heads=heads),
        ]
        scores = self._call(
            layers[0],
            None,
            (query, key),
            (*query.shape[:-1], tokens),
            None,
            bits=_bits(key, query),
        )
        if masked:
            self._add_ops(rows * tokens)
        weights = self.softmax(scores)
        return self._call(
            layers[1], None, (weights, value), shape, None, bits=_bits(value, weights)
        )

    def _layer_name(self, weight: Value, where: str) -> str:
        name = f".{weight.parameter or 'weight'}"  # torch numbers an LSTM's layers in its weights
        for ending in ("_quantized", ".weight", "_weight", ".weight_ih"):
            name = name.removesuffix(ending)
        return name.replace(".weight_ih_l", ".l").removeprefix(".") or where

    def _call(
        self,
        layer: Layer,
        weight: Value | None,
        inputs: Sequence[Value],
        shape: Sequence[int],
        columns: int | None,
        where: str = "",
        *,
        bits: Bits,
    ) -> Value:
        output = self._new(Value(tuple(shape), parents=tuple(inputs), columns=columns))
        key = None if weight is None else weight.key
        self._calls.append(_Call(layer, key, output, where, bits))
        return output

    # -- the network -----------------------------------------------------------------------

    def build(self) -> Network:
        """Make the network.

        Returns:
            A layer per matrix, in the order of their first use. Equal names get a number.

        Raises:
            NetworkError: If no operator multiplies by a matrix, or one matrix is used in two ways.
        """
        if not self._calls:
            raise NetworkError(
                f"Expected network {self.name!r} to have a convolution, a linear, a recurrent or "
                "an attention layer that depends on its input, got none."
            )
        self._calls[0].vector_ops += self._early_ops
        self._early_ops = 0
        uses: dict[Hashable, list[_Call]] = {}
        for number, call in enumerate(self._calls):
            uses.setdefault(("call", number) if call.key is None else call.key, []).append(call)
        layers, names = [], set[str]()
        number_of = {
            id(call.output): number for number, calls in enumerate(uses.values()) for call in calls
        }
        for calls in uses.values():
            layer = self._merge(calls)
            name, number = layer.name, 0
            while name in names:
                number += 1
                name = f"{layer.name}.{number}"
            names.add(name)
            layers.append(replace(layer, name=name))
        self._bits = tuple(_widest(call.bits for call in calls) for calls in uses.values())
        return Network(self.name, tuple(layers), self._edges(number_of))

    @property
    def has_layers(self) -> bool:
        """Whether there is any layer yet."""
        return bool(self._calls)

    @property
    def bits(self) -> tuple[Bits, ...]:
        """What every layer of the network that was built is quantised to."""
        return self._bits

    def _edges(self, number_of: dict[int, int]) -> Edges:
        """Follow tensors from layer to layer.

        Args:
            number_of: The layer that a tensor is the output of, by the tensor's identity.

        Returns:
            Whose outputs are read by whom.
        """
        edges = set[tuple[int, int]]()
        behind: dict[int, frozenset[int]] = {}  # the layers that a tensor is made of
        for value in self._values:
            parts = {behind[id(parent)] for parent in value.parents}
            sources = next(iter(parts)) if len(parts) == 1 else frozenset().union(*parts)
            number = number_of.get(id(value))
            if number is not None:
                edges |= {(source, number) for source in sources}
                sources = frozenset({number})
            behind[id(value)] = sources
        return tuple(sorted(edges))

    def _merge(self, calls: list[_Call]) -> Layer:
        """Make one layer of all uses of a matrix."""
        first = calls[0].layer
        ops = sum(call.vector_ops for call in calls)
        if len(calls) == 1:
            return replace(first, vector_ops=ops)
        for call in calls[1:]:
            for part in ("kind", "rows", "columns", "groups", "kernel_size"):
                if getattr(call.layer, part) != getattr(first, part):
                    raise NetworkError(
                        f"Expected every use of the weights of layer {first.name!r} to have the "
                        f"same {part}, got {getattr(first, part)} and "
                        f"{getattr(call.layer, part)}. Give each use weights of its own."
                    )
        positions = sum(call.layer.positions for call in calls)
        steps = self._longest_chain(calls)
        while positions % steps:  # uses of different length: the next count that divides them
            steps += 1
        return replace(
            first,
            positions=positions,
            stride=max(call.layer.stride for call in calls),  # no property of the matrix
            time_steps=steps,
            input_elements=sum(call.layer.input_elements or 0 for call in calls),
            vector_ops=ops,
        )

    def _longest_chain(self, calls: list[_Call]) -> int:
        """Count the time steps of the longest chain of uses that wait for each other."""
        own = {id(call.output): call.layer.time_steps for call in calls}
        chain: dict[int, int] = {}
        for value in self._values:
            before = max((chain[id(parent)] for parent in value.parents), default=0)
            chain[id(value)] = before + own.get(id(value), 0)
        return max(chain[output] for output in own)


def common_bits(values: Sequence[Value]) -> int | None:
    """Find the bits of what is made of tensors without new values.

    Args:
        values: Any number.

    Returns:
        The most; None if one of them is not quantised.
    """
    return max((v.bits for v in values), key=_width, default=None)


def dotted(*parts: str) -> str:
    """Join the parts of a name that are not empty.

    Args:
        *parts: Names of modules, one inside the other.

    Returns:
        The name.
    """
    return ".".join(part for part in parts if part)


def transposed(key: Hashable | None) -> Hashable | None:
    """Name the transposed matrix; twice gives the matrix again.

    Args:
        key: Identity of a constant matrix, or None.

    Returns:
        Identity of its transposed.
    """
    if key is None:
        return None
    if isinstance(key, tuple) and key[0] == "transposed":
        matrix: Hashable = key[1]
        return matrix
    return ("transposed", key)


def unsupported(operator: str, where: str) -> NoReturn:
    """Refuse an operator that computes and is not known.

    Args:
        operator: Its name.
        where: The module or node that runs it.

    Raises:
        NetworkError: Always.
    """
    place = f" in {where!r}" if where else ""
    raise NetworkError(
        f"Expected operators that crossbars or the vector unit compute, got {operator}{place}. "
        "Replace it, leave it out of the network, or describe the network by Layer objects."
    )


def check_batch(shape: Sequence[int], axis: int | None, name: str, how: str) -> None:
    """Check that the network is traced for one inference.

    Args:
        shape: Of an input.
        axis: Of the batch; None if the input has none.
        name: Of the input.
        how: What to do about it.

    Raises:
        NetworkError: If the batch is not 1.
    """
    if axis is None:
        return
    if not -len(shape) <= axis < len(shape) or shape[axis] != 1:
        raise NetworkError(
            f"Expected {name} to have a batch of 1 in dimension {axis}, got shape "
            f"{tuple(shape)}. {how}"
        )


def _is_per_column(x: Value, constants: Sequence[Value]) -> bool:
    """Tell whether constants fold into the layer that produced x: one number per column."""
    if x.columns is None or x.looked_up:
        return False
    behind = len(x.shape) - 1 - x.columns
    return all(
        c.size == 1 or (len(c.shape) > behind and c.shape[len(c.shape) - 1 - behind] == c.size)
        for c in constants
    )


def _bits(matrix: Value, stream: Value) -> Bits:
    return matrix.bits, stream.bits


def _widest(uses: Iterable[Bits]) -> Bits:
    matrices, streams = zip(*uses, strict=True)
    return max(matrices, key=_width), max(streams, key=_width)


def _width(bits: int | None) -> float:
    return inf if bits is None else bits


def _convolution(axes: int, where: str) -> LayerKind:
    if axes not in _CONVOLUTIONS:
        unsupported(f"a convolution of {axes} dimensions", where)
    return _CONVOLUTIONS[axes]


def _check_channels(layer: str, channels: int, expected: int) -> None:
    if channels != expected:
        raise NetworkError(
            f"Expected {expected} input channels of layer {layer!r}, got {channels}. Check the "
            "shape of the network's input."
        )


def _without(shape: Sequence[int], axis: int) -> int:
    return prod(size for place, size in enumerate(shape) if place != axis)
