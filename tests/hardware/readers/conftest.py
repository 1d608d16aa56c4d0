import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def torch_model():
    """Build the torch model of a built-in network and its inputs, by default without memory."""
    torch = pytest.importorskip("torch")
    from torch import device as made_on

    from lrmp.accuracy.lab.models import MODELS

    path = Path(__file__).with_name("torch_models.py")
    spec = importlib.util.spec_from_file_location("torch_models", path)
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)

    def torch_model(name, device="meta", **options):
        with made_on(device):
            if name in MODELS:
                model = MODELS[name]()
                return model, (torch.empty(1, *model.input_shape),)
            make, inputs = plain.MODELS[name]
            return make(**options), inputs()

    return torch_model
