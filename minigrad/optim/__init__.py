"""Optimisers and schedules, under PyTorch's names."""

from minigrad.optim import lr_scheduler, swa_utils
from minigrad.optim.adagrad import Adadelta, Adagrad
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.rmsprop import RMSprop
from minigrad.optim.sgd import SGD
from minigrad.optim.sparse_adam import SparseAdam

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]
