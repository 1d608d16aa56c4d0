"""Labelled images: what accuracy is measured on. Nothing is unpickled."""

from lrmp.accuracy.lab.images.image_folder import ImageFolder
from lrmp.accuracy.lab.images.image_set import ImageSet
from lrmp.accuracy.lab.images.location import data_root
from lrmp.accuracy.lab.images.sources import SHAPES, SOURCES, Source, load_images, source_size

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
