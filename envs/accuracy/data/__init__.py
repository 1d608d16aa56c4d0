"""Labelled images: what accuracy is measured on. Nothing is unpickled."""

from lrmp.envs.accuracy.data.image_set import ImageSet
from lrmp.envs.accuracy.data.location import data_root
from lrmp.envs.accuracy.data.sources import SOURCES, load_images

__all__ = ["SOURCES", "ImageSet", "data_root", "load_images"]
