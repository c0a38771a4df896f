"""What stands beside the layers, under PyTorch's names."""

from minigrad.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
