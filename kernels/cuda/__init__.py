"""CUDA kernels: C++ text beside each family's other files, compiled when first used, launched only as its head allows.

| file | what it is |
|---|---|
| ``launch.py`` | ``Program`` and ``Kernel``: start here |
| ``source.py`` | the text of a program with what it includes |
| ``signature.py`` | what a kernel's head says of its parameters |
| ``rows.py`` | how many threads share a row |
| ``strips.py`` | how blocks share a table of pixels and channels |
| ``*.cuh`` | what kernels of several families include |
| ``families.py`` | the kernels that there are, as every family's ``gpu.py`` lists them |
| ``static.py`` | what a kernel uses of a chip, from its machine code; by ``nvrtc.py``, ``machine_code.py`` and ``loops.py`` |
| ``occupancy.py`` | how many of its blocks run at once |
| ``budgets.py`` | what it may use: the table that ``make static`` holds every kernel to |

The same text runs on a GPU, through CuPy and NVRTC, and thread by thread on the CPU, by ``minigrad.emulator``.
"""

from __future__ import annotations

from minigrad.kernels.cuda.launch import Kernel, Program

__all__ = ["Kernel", "Program"]
