"""Quantised copies of torch networks: post-training (``ptq-1``) and fine-tuned (``qat-1``)."""

from lrmp.accuracy.lab.quantization.network import QuantizedNetwork
from lrmp.accuracy.lab.quantization.recipe import RECIPES, Recipe, load_recipe

__all__ = ["RECIPES", "QuantizedNetwork", "Recipe", "load_recipe"]
