"""CUDA C++ and CuPy programs, run on the CPU: see ``program`` and ``cupy``. Knows nothing of tensors and kernel families."""

from minigrad.emulator.arguments import Parameter
from minigrad.emulator.findings import Finding, Place
from minigrad.emulator.program import Kernel, Program, Report

__all__ = ["Finding", "Kernel", "Parameter", "Place", "Program", "Report"]
