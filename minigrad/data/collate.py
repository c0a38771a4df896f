"""Samples put together to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.core.device import array_module
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops.creation import tensor
from minigrad.ops.parts import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch of samples that look alike: tensors, arrays and numbers are stacked along a new first dimension.

    Numbers become tensors as PyTorch makes them: Python floats float64, integers int64. Strings stay as they are. Tuples and
    lists of these become lists of batches, dicts become dicts of batches.

    Args:
        batch: the samples, at least one.

    Raises:
        ShapeError: samples of different shapes or lengths.
        DTypeError: a sample of a kind that has no rule.

    Example:
        >>> default_collate([(0, "a"), (1, "b")])
        [tensor([0, 1]), ('a', 'b')]
    """
    if not isinstance(batch, (Sequence, np.ndarray)) or isinstance(batch, (str, bytes)):
        raise DTypeError("default_collate", "batch", "a list of samples", f"a {type(batch).__name__}")
    if not len(batch):
        raise ShapeError("default_collate", "batch", "at least one sample", "none")
    first = batch[0]
    for kind in (Tensor, np.ndarray, Mapping, (tuple, list)):
        if isinstance(first, kind):
            _check_kind(batch, kind, first)
    if isinstance(first, Tensor):
        if any(item.requires_grad for item in batch):
            return stack(list(batch))
        return Tensor._wrap(_stack([item.array for item in batch]))
    if isinstance(first, np.ndarray):
        return tensor(_stack(batch))
    if isinstance(first, np.generic):
        return tensor(np.array(batch))
    if isinstance(first, float):
        return tensor(list(batch), dtype="float64")
    if isinstance(first, (bool, int)):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([item[key] for item in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(len(item) != len(first) for item in batch):
            lengths = sorted({len(item) for item in batch})
            raise ShapeError("default_collate", "batch", "samples of one length", f"lengths {lengths}", "Pass a collate_fn")
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise DTypeError(
        "default_collate",
        "batch",
        "tensors, arrays, numbers, strings, and dicts, lists and tuples of them",
        f"a {type(first).__name__}",
        "Convert it in the data set, or pass a collate_fn",
    )


def _check_kind(batch: Sequence[Any], kind: Any, first: Any) -> None:
    for place, item in enumerate(batch):
        if not isinstance(item, kind):
            expected = f"samples of one kind: the first holds a {type(first).__name__}"
            raise DTypeError("default_collate", "batch", expected, f"a {type(item).__name__} in number {place}")
        if kind is Mapping and item.keys() != first.keys():
            expected = f"the keys of the first sample: {', '.join(map(repr, first))}"
            raise DTypeError("default_collate", "batch", expected, f"{', '.join(map(repr, item))} in number {place}")


def _stack(arrays: Sequence[Any]) -> Any:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        got = ", ".join([str(tuple(shape)) for shape in sorted(shapes)[:4]])
        raise ShapeError(
            "default_collate", "batch", "samples of one shape", got, "Pad or crop them in the data set, or pass a collate_fn"
        )
    return array_module(arrays[0]).stack(arrays)


def default_convert(sample: Any) -> Any:
    """A single sample with its arrays as tensors; all else as it is.

    Example:
        >>> default_convert((np.float32(1), "a"))
        [tensor(1.), 'a']
    """
    if isinstance(sample, (np.ndarray, np.generic)) and sample.dtype.kind in "biuf":
        return tensor(sample)
    if isinstance(sample, Mapping):
        return {key: default_convert(item) for key, item in sample.items()}
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*[default_convert(item) for item in sample])
    if isinstance(sample, (tuple, list)):
        return [default_convert(item) for item in sample]
    return sample


__all__ = ["default_collate", "default_convert"]
