"""CUDA C++ and CuPy programs, run on the CPU: see ``program`` and ``cupy``. Knows nothing of tensors and kernel families."""
