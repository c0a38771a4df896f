"""A user's own CUDA kernel with its own contract: what it is given, how it is launched, and what must come of it.

A file of one's own names them, and ``minigrad kernels check``, ``trace`` and ``profile`` take the file::

    import numpy as np
    from minigrad.kernels import CudaKernel

    def arguments(rng, n):
        return {"x": rng.standard_normal(n, dtype="float32"), "y": np.empty(n, "float32"), "by": 2.0, "n": n}

    KERNEL = CudaKernel(
        "scale.cu", "scale",
        cases=[{"n": 1}, {"n": 1000}],
        arguments=arguments,
        reference=lambda x, by: x * by,
        grid=lambda n: -(-n // 128), block=128,
    )
"""

from __future__ import annotations

import functools
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.core.device import CPU, device, module_for, move
from minigrad.errors import KernelError, MinigradError
from minigrad.kernels.comparison import Difference
from minigrad.kernels.cuda.launch import Kernel, Program
from minigrad.kernels.cuda.source import text_of

TOLERANCE = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}  # of a result's largest number, where nothing else is said
Sizes = int | tuple[int, ...]


class CudaKernel:
    """A kernel of a ``.cu`` file, with all that is needed to hold it against a reference.

    Args:
        file: the ``.cu`` file, beside the file that names it.
        kernel: the kernel's name; of a template ``("scale", "float32", 64)``, with what stands for its parameters.
        cases: the sizes at which it is asked, each a dict of keywords for the functions below. The first is what is traced
            where nothing else is said: let it be small, with a ragged end.
        arguments: called with a random generator and a case; the arguments of the kernel by their names in its head.
        reference: called with those of the arguments that it names, as NumPy arrays; what the array holds afterwards that the
            kernel writes, or a dict of such by name where there are several. What an array holds before that the kernel
            writes, and the reference does not name, has no meaning: it is given with all bits set (NaN, or -1 of whole
            numbers), and on the emulator reading it before it is written is a fault.
        grid, block, shared: blocks and threads along one to three axes, and bytes of dynamic shared memory: numbers, or
            functions of a case.
        tolerance: how far a result may be off, as a part of the largest number of the reference; by default 1e-5 for
            float32 and 1e-12 for float64.
        options: for the compiler, like ``-DTILE=16``.
        cooperative: whether its blocks wait for each other.

    Raises:
        KernelError: there are no cases.
    """

    def __init__(
        self,
        file: str,
        kernel: str | tuple[Any, ...],
        *,
        cases: Sequence[Mapping[str, Any]],
        arguments: Callable[..., Mapping[str, Any]],
        reference: Callable[..., Any],
        grid: Sizes | Callable[..., Sizes],
        block: Sizes | Callable[..., Sizes],
        shared: int | Callable[..., int] = 0,
        tolerance: float | None = None,
        options: Sequence[str] = (),
        cooperative: bool = False,
    ) -> None:
        beside = sys._getframe(1).f_globals.get("__file__", ".")
        self.path = Path(beside).absolute().parent / file
        self.key = kernel if isinstance(kernel, tuple) else (kernel,)
        self.cases = [dict(case) for case in cases]
        if not self.cases:
            raise KernelError("CudaKernel", "cases", "sizes to ask it at, as in [{'n': 1000}]", "none")
        self.arguments, self.reference, self.tolerance = arguments, reference, tolerance
        self._grid, self._block, self._shared = grid, block, shared
        self._program = _OwnProgram(self.path, options, cooperative)

    @property
    def name(self) -> str:
        """The kernel's name, and the file's."""
        return f"{self.key[0]} of {self.path.name}"

    @property
    def launcher(self) -> Kernel:
        """The kernel as it is launched.

        Raises:
            KernelError: there is no such file, or no such kernel in it.
        """
        return self._program[self.key]

    def sizes(self, case: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """Grid, block and bytes of shared memory of a case."""
        said: dict[str, Any] = {"grid": self._grid, "block": self._block, "shared": self._shared}
        values = {name: self._asked(name, each, **case) if callable(each) else each for name, each in said.items()}
        return _tuple(values["grid"]), _tuple(values["block"]), values["shared"]

    def _asked(self, name: str, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """What a function of the contract says; where it fails, that is no fault of minigrad's."""
        try:
            return function(*arguments, **keywords)
        except MinigradError:
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            got = f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"
            raise KernelError(f"CudaKernel {self.name}", name, "a function that returns", got) from error

    def given(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a case, in the order of the kernel's head.

        Raises:
            KernelError: names that are not those of the head.
        """
        made = self._asked("arguments", self.arguments, np.random.default_rng(0), **case)
        if not isinstance(made, Mapping):
            expected = "a dict by names of parameters"
            raise KernelError(f"CudaKernel {self.name}", "arguments", expected, f"a {type(made).__name__}")
        names = [each.name for each in self.launcher.head.parameters]
        if set(made) != set(names):
            raise KernelError(
                f"CudaKernel {self.name}", "arguments", f"values for {', '.join(names)}", ", ".join(made) or "none"
            )
        return {name: made[name] for name in names}

    def launch(self, case: Mapping[str, Any], given: Mapping[str, Any], where: device) -> dict[str, np.ndarray]:
        """Launch the kernel on a device; what the arrays hold afterwards that it was given.

        Args:
            case: the sizes.
            given: as :meth:`given` has it.
            where: a GPU, or ``device("emulated")``.

        Raises:
            KernelError: arguments or sizes that do not fit the kernel's head, or a file that does not compile.
            CudaFault: what the emulator finds wrong with the kernel.
        """
        xp = module_for(where)
        filled = inspect.signature(self.reference).parameters
        passed = {}
        for parameter in self.launcher.head.parameters:
            value = given[parameter.name]
            if isinstance(value, np.ndarray) and parameter.pointer:
                meaningless = not parameter.read_only and parameter.name not in filled
                value = _unwritten(xp, value, where) if meaningless else move(value, where)
            passed[parameter.name] = value
        grid, block, shared = self.sizes(case)
        self.launcher(*passed.values(), work=grid, tile=(1,) * len(grid), block=block, shared=shared)
        return {
            name: move(array, CPU) for name, array in passed.items() if hasattr(array, "device") and hasattr(array, "shape")
        }

    def wanted(self, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """What the reference says that arrays hold afterwards: those that the kernel writes, and those that it must leave.

        Raises:
            KernelError: the reference gives one array, and the kernel writes none or several; or it names what is no array.
        """
        heads = [each for each in self.launcher.head.parameters if each.pointer]
        asked = {name: given[name] for name in inspect.signature(self.reference).parameters if name in given}
        copies = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in asked.items()}
        result = self._asked("reference", self.reference, **copies)
        written = [each.name for each in heads if not each.read_only]
        if not isinstance(result, Mapping):
            if len(written) != 1:
                expected = f"a dict with some of {', '.join(written) or 'no arrays'}, of which the kernel may write each"
                raise KernelError(f"CudaKernel {self.name}", "reference", expected, f"a {type(result).__name__}")
            result = {written[0]: result}
        if not set(result) <= set(written):
            got = ", ".join(result)
            raise KernelError(f"CudaKernel {self.name}", "reference", f"arrays that it writes ({', '.join(written)})", got)
        kept = {each.name: given[each.name] for each in heads if each.read_only and isinstance(given[each.name], np.ndarray)}
        return {**kept, **{name: np.asarray(value) for name, value in result.items()}}

    def difference(self, got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray]) -> Difference | None:
        """Where the first array that differs does."""
        for name, expected in want.items():
            found = got[name]
            if found.shape != expected.shape:
                return Difference(name, f"shape {found.shape}, which the kernel fills", f"{expected.shape} from the reference")
            finite = np.abs(expected[np.isfinite(expected)]) if expected.dtype.kind in "fc" else ()
            relative = TOLERANCE.get(found.dtype.name, 0.0) if self.tolerance is None else self.tolerance
            allowed = relative * max(1.0, float(np.max(finite))) if len(finite) else 0.0
            with np.errstate(invalid="ignore"):
                fits = (found == expected) | (np.abs(found.astype(float) - expected) <= allowed)
            fits |= (found != found) & (expected != expected)
            if not fits.all():
                at = tuple(int(place) for place in np.argwhere(~fits)[0])
                got_there = f"{found[at]:.9g}; {np.count_nonzero(~fits)} of {fits.size} differ"
                place = f"{name}[{', '.join(map(str, at))}]"
                return Difference(place, f"{expected[at]:.9g} within {allowed:.3g}", got_there)
        return None


def _unwritten(xp: Any, like: np.ndarray, where: device) -> Any:
    """An array that means nothing. The emulator's ``empty`` is that, and known for it until something is written there."""
    if where.type == "emulated":
        return xp.empty(like.shape, like.dtype)
    byte = 1 if like.dtype.kind == "b" else 255
    return move(np.full(like.nbytes, byte, np.uint8).view(like.dtype).reshape(like.shape), where)


def _tuple(sizes: Sizes) -> tuple[int, ...]:
    return tuple(sizes) if isinstance(sizes, (tuple, list)) else (sizes,)


class _OwnProgram(Program):
    """The program of a file, which messages call by its name alone."""

    def __init__(self, path: Path, options: Sequence[str], cooperative: bool) -> None:
        super().__init__(path.name, options, cooperative)
        self._path = path

    @functools.cached_property
    def _text(self) -> str:
        return text_of(self._path, self.name)

    @property
    def text(self) -> str:
        """The whole source."""
        return self._text


def told(case: Mapping[str, Any]) -> str:
    """A case as it is written on the command line: ``n=1000,m=3``.

    Example:
        >>> told({"n": 1000, "m": 3})
        'n=1000,m=3'
    """
    return ",".join(f"{name}={value}" for name, value in case.items()) or "no sizes"
