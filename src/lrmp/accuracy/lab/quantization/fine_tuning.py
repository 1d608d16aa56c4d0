"""The recipe ``qat-1``: fine-tuning a design, with learned step sizes.

Learned step size quantisation (Esser et al., ICLR 2020) on torch's native learnable fake-quantise
operators: rounding passes gradients straight through, steps learn with the gradient scale of the
paper, and everything starts from ``ptq-1``. Adam, cosine schedule, cross-entropy.
"""

import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import trange

from lrmp.accuracy.lab.quantization.layers import QuantizedLayer, QuantizedProduct
from lrmp.accuracy.lab.quantization.network import QuantizedNetwork
from lrmp.accuracy.lab.quantization.steps import activation_range, weight_range
from lrmp.accuracy.model.bit_widths import MIN_BITS
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.design import Design
from lrmp.whole_file import replacing, write_whole


@dataclass(frozen=True)
class FineTuning:
    """Settings of the recipe. A change of behaviour is a new name.

    Attributes:
        name: With version.
        epochs: Passes over the training images.
        batch: Images per step.
        learning_rate: Of weights and biases at the start; steps learn at a tenth of it.
        seed: Of the order of the images.
    """

    name: str = "qat-1"
    epochs: int = 3
    batch: int = 64
    learning_rate: float = 1e-4
    seed: int = 0


class TrainableLayer(nn.Module):
    """A convolution or fully connected layer at fixed bits whose weights and steps learn.

    Weights that a knob projects stay projected: gradients pass through the projection, and output
    channels that share a step learn it together.

    Args:
        layer: A calibrated layer whose knobs are set.

    Raises:
        AccuracyDataError: If its weights or inputs are not rounded, or its products not exact.
    """

    weight_zero: Tensor
    activation_zero: Tensor

    def __init__(self, layer: QuantizedProduct) -> None:
        super().__init__()
        if layer.weight_bits is None or layer.activation_bits is None:
            raise AccuracyDataError(
                "Expected a design that rounds weights and inputs, whose steps qat-1 trains; got "
                f"{layer.weight_bits} and {layer.activation_bits} bits."
            )
        if layer.changes_products:
            raise AccuracyDataError(
                "Expected a design whose products are exact, which is what qat-1 trains; got one "
                "that loses a part of them. Take that knob at its plain value."
            )
        if layer.changes_weights:
            raise AccuracyDataError(
                "Expected a design whose knobs do nothing to weights but project and round them, "
                "which is what qat-1 trains; got one that changes them."
            )
        assert layer.weight_steps is not None
        self.module = copy.deepcopy(layer.module)
        self.module.weight = nn.Parameter(layer.float_weight.clone())
        # The bias keeps its correction: training starts exactly at the ptq-1 network.
        if self.module.bias is not None:
            self.module.bias = nn.Parameter(self.module.bias.detach().clone())
        self.weight_range = weight_range(layer.weight_bits)
        self.activation_range = activation_range(layer.activation_bits, signed=layer.signed)
        self.projection = copy.deepcopy(layer.projection)
        steps = layer.weight_steps[layer.weight_bits - MIN_BITS]
        own = steps if self.projection is None else self.projection.gather_steps(steps)
        self.weight_step = nn.Parameter(own.clone())
        step = layer.input_step(layer.activation_bits)
        self.activation_step = nn.Parameter(torch.tensor([step], dtype=torch.float32))
        self.on_outputs = layer.on_outputs
        self.register_buffer("weight_zero", torch.zeros_like(steps))
        self.register_buffer("activation_zero", torch.zeros(1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the layer on rounded inputs with rounded weights.

        Args:
            inputs: As the float layer takes them.

        Returns:
            As the float layer gives them.
        """
        weight: Tensor = self.module.weight
        steps: Tensor = self.weight_step
        if self.projection is not None:
            weight, steps = self.projection(weight), self.projection.spread_steps(steps)
        # LSQ's gradient scale: 1 / sqrt(values per step * largest integer).
        per_step = weight.numel() / len(self.weight_step)
        rounded = torch.ops.aten._fake_quantize_learnable_per_channel_affine(
            weight,
            steps,
            self.weight_zero,
            0,
            *self.weight_range,
            float((per_step * self.weight_range[1]) ** -0.5),
        )
        values = inputs.numel() / len(inputs)
        inputs = torch.ops.aten._fake_quantize_learnable_per_tensor_affine(
            inputs,
            self.activation_step,
            self.activation_zero,
            *self.activation_range,
            float((values * self.activation_range[1]) ** -0.5),
        )
        outputs: Tensor = torch.func.functional_call(self.module, {"weight": rounded}, (inputs,))
        for change in self.on_outputs:
            outputs = change(outputs)
        return outputs


def trainable_copy(network: QuantizedNetwork, design: Design) -> nn.Module:
    """Copy a calibrated network in some design into one that learns.

    Args:
        network: Calibrated; left as it was, in float.
        design: Of L layers; it rounds weights and inputs.

    Returns:
        The module; before training it computes as the quantised network does.

    Raises:
        AccuracyDataError: If the network cannot have the design, or a layer is an LSTM, which this
            recipe cannot train.
    """
    try:
        network.set_design(design)
        model = copy.deepcopy(network.model).requires_grad_(False)
        for name, layer in list(model.named_modules()):
            if isinstance(layer, QuantizedProduct):
                model.set_submodule(name, TrainableLayer(layer))
            elif isinstance(layer, QuantizedLayer):
                raise AccuracyDataError(
                    f"Expected convolutions and fully connected layers, got {name}, which "
                    "qat-1 cannot train."
                )
    finally:
        network.set_float()
    return model


def fine_tune(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: FineTuning | None = None,
    checkpoint: Path | None = None,
) -> nn.Module:
    """Train a copy of ``trainable_copy``, in place.

    Args:
        model: What learns.
        images: Preprocessed training images, shape (N, channels, height, width).
        labels: Shape (N,).
        settings: Of the recipe; None for ``qat-1``.
        checkpoint: Folder to which every epoch is saved, and from which training goes on; None
            keeps nothing.

    Returns:
        The model.

    Raises:
        AccuracyDataError: If the checkpoint belongs to other settings.
    """
    settings = settings or FineTuning()
    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    steps = [value for name, value in parameters.items() if name.endswith("_step")]
    others = [value for name, value in parameters.items() if not name.endswith("_step")]
    rates = [settings.learning_rate, settings.learning_rate / 10]
    optimizer = torch.optim.Adam(
        [{"params": others, "lr": rates[0]}, {"params": steps, "lr": rates[1]}]
    )
    batches = -(-len(labels) // settings.batch)
    total = settings.epochs * batches
    done = _restore(checkpoint, settings, model, optimizer)
    for epoch in trange(done, settings.epochs, desc=settings.name, initial=done):
        # An epoch's order depends on its number alone, so that a resumed run sees the same.
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(labels))
        for index, batch in enumerate(np.array_split(order, batches)):
            scale = 0.5 * (1 + np.cos(np.pi * (epoch * batches + index) / total))
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * scale
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                for step in steps:
                    step.clamp_(min=1e-8)
        _save(checkpoint, settings, epoch + 1, model, optimizer)
    return model


def _save(
    folder: Path | None,
    settings: FineTuning,
    epochs: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        # The clones are in rows even where the network is channels last: a file wants that.
        tensors |= {
            f"optimizer.{index}.{name}": value.clone(memory_format=torch.contiguous_format)
            for name, value in state.items()
        }
    # The settings first: epochs without them would be those of any settings.
    write_whole(folder / "settings.json", json.dumps(asdict(settings)))
    # One file holds everything, so a run that is killed here leaves the epoch before whole.
    with replacing(_epoch(folder, epochs)) as temporary:
        save_file(tensors, temporary)


def _restore(
    folder: Path | None,
    settings: FineTuning,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> int:
    """Load the last epoch that was saved, and return its number."""
    if folder is None or not (folder / "settings.json").is_file():
        return 0
    found = json.loads((folder / "settings.json").read_text("utf-8"))
    if found != asdict(settings):
        raise AccuracyDataError(
            f"Expected a checkpoint of {asdict(settings)} in {folder}, got {found}. Name another "
            "folder."
        )
    epochs = [n for n in range(1, settings.epochs + 1) if _epoch(folder, n).is_file()]
    if not epochs:
        return 0
    tensors = load_file(_epoch(folder, epochs[-1]))
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    state = optimizer.state_dict()
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, key = rest.partition(".")
            state["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(state)
    return epochs[-1]


def _epoch(folder: Path, number: int) -> Path:
    return folder / f"epoch{number}.safetensors"
