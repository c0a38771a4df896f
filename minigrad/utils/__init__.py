"""What stands beside the layers, under PyTorch's names."""

from minigrad.utils import data

__all__ = ["data"]
