"""The functions behind the layers, under PyTorch's names. Each is defined once, in ``minigrad.ops``."""
