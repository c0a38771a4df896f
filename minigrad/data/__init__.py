"""Data: named sets and where they come from, as plain arrays; data sets, and the loader that goes through them in batches."""

from minigrad.data.augment import Augmented
from minigrad.data.characters import Characters
from minigrad.data.collate import default_collate, default_convert
from minigrad.data.corpus import TextData, open_text
from minigrad.data.dataset import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from minigrad.data.decode import read_image
from minigrad.data.ids import Ids
from minigrad.data.images import ImageArrays, load
from minigrad.data.knowntext import open_known
from minigrad.data.labelled import ClassificationData, LabelledImages, open_images
from minigrad.data.lanes import Lanes, pieces
from minigrad.data.loader import DataLoader
from minigrad.data.mirror import mirror_is_safe
from minigrad.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigrad.data.transfer import on_device

__all__ = [
    "Augmented",
    "BatchSampler",
    "Characters",
    "ClassificationData",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Ids",
    "ImageArrays",
    "IterableDataset",
    "LabelledImages",
    "Lanes",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "TextData",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "load",
    "mirror_is_safe",
    "on_device",
    "open_images",
    "open_known",
    "open_text",
    "pieces",
    "random_split",
    "read_image",
]
