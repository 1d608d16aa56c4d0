"""The float networks whose accuracy is measured, as torch modules with the usual names.

State dicts in torchvision's format (or, for the CIFAR and MNIST networks, in the format of the
projects that published the weights) load strictly. Importing this package imports torch.
"""

from lrmp.accuracy.lab.models.factory import MODELS, load_model, load_weights
from lrmp.accuracy.lab.models.staged import StagedModel

__all__ = ["MODELS", "StagedModel", "load_model", "load_weights"]
