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
from minigrad.data.pen import open_strokes
from minigrad.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigrad.data.stroke_data import StrokeData
from minigrad.data.strokes import Strokes
from minigrad.data.transfer import on_device
from minigrad.data.written import LikeSizes, StrokeBatch, Written

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
    "LikeSizes",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StrokeBatch",
    "StrokeData",
    "Strokes",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "TextData",
    "WeightedRandomSampler",
    "Written",
    "default_collate",
    "default_convert",
    "load",
    "mirror_is_safe",
    "on_device",
    "open_images",
    "open_known",
    "open_strokes",
    "open_text",
    "pieces",
    "random_split",
    "read_image",
]
