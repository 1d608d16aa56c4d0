"""Labelled images: what accuracy is measured on. Nothing is unpickled."""

from lrmp.envs.accuracy.data.image_folder import ImageFolder
from lrmp.envs.accuracy.data.image_set import ImageSet
from lrmp.envs.accuracy.data.location import data_root
from lrmp.envs.accuracy.data.sources import SHAPES, SOURCES, Source, load_images, source_size

__all__ = [
    "SHAPES",
    "SOURCES",
    "ImageFolder",
    "ImageSet",
    "Source",
    "data_root",
    "load_images",
    "source_size",
]
