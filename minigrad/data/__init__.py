"""Data: named sets and where they come from, as plain arrays; data sets, and the loader that goes through them in batches."""

from minigrad.data.augment import Augmented
from minigrad.data.boxaugment import AugmentedBoxes
from minigrad.data.boxed import BoxedImage, BoxedImages
from minigrad.data.characters import Characters
from minigrad.data.collate import default_collate, default_convert
from minigrad.data.corpus import TextData, open_text
from minigrad.data.dataset import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from minigrad.data.decode import read_image
from minigrad.data.detection import DetectionData, open_boxes
from minigrad.data.gallery import Gallery, open_gallery
from minigrad.data.ids import Ids
from minigrad.data.images import ImageArrays, load
from minigrad.data.knowntext import open_known
from minigrad.data.labelled import ClassificationData, LabelledImages, open_images
from minigrad.data.lanes import Lanes, pieces
from minigrad.data.loader import DataLoader
from minigrad.data.mirror import mirror_is_safe
from minigrad.data.pair import Pair
from minigrad.data.pairs import PairData, open_known_pairs, open_pairs
from minigrad.data.pairtokens import PairTokens, learn_tokens
from minigrad.data.pen import open_strokes
from minigrad.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigrad.data.scenes import Scenes, SceneSettings
from minigrad.data.stroke_data import StrokeData
from minigrad.data.strokes import Strokes
from minigrad.data.subwords import Subwords
from minigrad.data.tokens import Tokens
from minigrad.data.transfer import on_device
from minigrad.data.translated import LikeTokens, PairBatch, Translated
from minigrad.data.wordtokens import Words
from minigrad.data.written import LikeSizes, StrokeBatch, Written

__all__ = [
    "Augmented",
    "AugmentedBoxes",
    "BatchSampler",
    "BoxedImage",
    "BoxedImages",
    "Characters",
    "ClassificationData",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DetectionData",
    "Gallery",
    "Ids",
    "ImageArrays",
    "IterableDataset",
    "LabelledImages",
    "Lanes",
    "LikeSizes",
    "LikeTokens",
    "Pair",
    "PairBatch",
    "PairData",
    "PairTokens",
    "RandomSampler",
    "Sampler",
    "SceneSettings",
    "Scenes",
    "SequentialSampler",
    "StrokeBatch",
    "StrokeData",
    "Strokes",
    "Subset",
    "SubsetRandomSampler",
    "Subwords",
    "TensorDataset",
    "TextData",
    "Tokens",
    "Translated",
    "WeightedRandomSampler",
    "Words",
    "Written",
    "default_collate",
    "default_convert",
    "learn_tokens",
    "load",
    "mirror_is_safe",
    "on_device",
    "open_boxes",
    "open_gallery",
    "open_images",
    "open_known",
    "open_known_pairs",
    "open_pairs",
    "open_strokes",
    "open_text",
    "pieces",
    "random_split",
    "read_image",
]
