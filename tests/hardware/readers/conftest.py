import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def torch_model():
    """Build the torch model of a built-in network and its inputs, by default without memory."""
    torch = pytest.importorskip("torch")
    path = Path(__file__).with_name("torch_models.py")
    spec = importlib.util.spec_from_file_location("torch_models", path)
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)

    def torch_model(name, device="meta", **options):
        make, inputs = models.MODELS[name]
        with torch.device(device):
            return make(**options), inputs()

    return torch_model
