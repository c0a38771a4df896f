"""Schedules of the learning rate, with PyTorch's names and its formulas.

A schedule takes hold of an optimiser, and each ``step()`` sets the learning rate of each of its groups. Most are written as
a factor from one step to the next, so that several of them on one optimiser multiply (``ChainedScheduler``), with the rate
straight from the number of the step beside it (``closed_form``) for ``SequentialLR``, which starts one in mid-course.

A warm-up is ``LinearLR``, followed by another schedule in ``SequentialLR``::

    SequentialLR(sgd, [LinearLR(sgd, 0.1, total_iters=500), CosineAnnealingLR(sgd, 9500)], milestones=[500])
"""

from minigrad.optim.lr_scheduler.base import LRScheduler
from minigrad.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from minigrad.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from minigrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minigrad.optim.lr_scheduler.waves import CosineAnnealingLR, CosineAnnealingWarmRestarts, OneCycleLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
