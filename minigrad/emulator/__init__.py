"""Programs for CuPy, run on the CPU: see ``cupy``. Knows nothing of tensors and kernel families."""
