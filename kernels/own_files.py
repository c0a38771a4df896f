"""Files of a user's own that register kernels: run once, and told where they fail."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from types import ModuleType

from minigrad.errors import KernelError
from minigrad.kernels.cuda.own import CudaKernel
from minigrad.kernels.registry import implementations, recorded, unregister

Registered = tuple[tuple[str, str], ...]  # (family, name)

_files: dict[str, Registered] = {}
_cuda_kernels: dict[str, tuple[CudaKernel, ...]] = {}
_lock = threading.RLock()  # a file that is being run may use kernels, which asks for the file


def load_file(path: str | os.PathLike[str]) -> Registered:
    """Run a file that registers kernels, once a program, and give what it registered: (family, name) of each.

    What it has of :class:`~minigrad.kernels.CudaKernel` at its top level is registered for no family: :func:`cuda_kernels`.

    The file runs as an imported one does: what stands under ``if __name__ == "__main__":`` is left out, and it finds the files
    beside it.

    Raises:
        KernelError: there is no such file, it fails (with the line), or it has no kernel.

    Example:
        >>> import pathlib, tempfile
        >>> lines = [
        ...     "from minigrad import kernels",
        ...     "from minigrad.kernels.conv2d import im2col",
        ...     "kernels.register('conv2d', 'mine', forward=im2col.forward)",
        ... ]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "mine.py")
        ...     _ = path.write_text("; ".join(lines))
        ...     print(load_file(path))
        ...     unload_file(path)
        (('conv2d', 'mine'),)
    """
    where, told = os.path.abspath(os.fspath(path)), os.fspath(path)
    with _lock:
        if where not in _files:
            _files[where] = ()  # what the file itself calls at its top level is chosen without it
            try:
                _files[where] = _run(where, told)
            except BaseException:
                del _files[where]
                raise
        return _files[where]


def cuda_kernels(path: str | os.PathLike[str]) -> tuple[CudaKernel, ...]:
    """The kernels with contracts of their own that a file has at its top level; it is run if it was not yet.

    Raises:
        KernelError: as for :func:`load_file`.

    Example:
        >>> import pathlib, tempfile
        >>> lines = [
        ...     "from minigrad.kernels import CudaKernel",
        ...     "KERNEL = CudaKernel('fill.cu', 'fill', cases=[{'n': 5}], arguments=dict, reference=len, grid=1, block=32)",
        ... ]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "mine.py")
        ...     _ = path.write_text("; ".join(lines))
        ...     print([kernel.name for kernel in cuda_kernels(path)])
        ...     unload_file(path)
        ['fill of fill.cu']
    """
    load_file(path)
    return _cuda_kernels[os.path.abspath(os.fspath(path))]


def unload_file(path: str | os.PathLike[str]) -> None:
    """Take away all that :func:`load_file` registered from a file.

    Raises:
        KernelError: the file was not loaded.

    Example: See ``load_file``.
    """
    where = os.path.abspath(os.fspath(path))
    with _lock:
        if where not in _files:
            there = ", ".join(_files) or "none"
            raise KernelError("kernels.unload_file", "path", f"a file that was loaded ({there})", repr(os.fspath(path)))
        _take_away(_files.pop(where))
        _cuda_kernels.pop(where, None)


def loaded_files() -> list[str]:
    """The paths of the files that were loaded."""
    return list(_files)


def executed(path: str | os.PathLike[str]) -> ModuleType:
    """Run a file for what it defines, and take away again what it registers.

    Raises:
        KernelError: there is no such file, or it fails (with the line).

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "mine.py")
        ...     _ = path.write_text("INSTANCES = []")
        ...     executed(path).INSTANCES
        []
    """
    where = os.path.abspath(os.fspath(path))
    with _lock:
        module, before, registered = _executed(where, os.fspath(path))
        _take_away(registered)
        _forget(module.__name__, before)
    return module


def _run(where: str, told: str) -> Registered:
    module, before, registered = _executed(where, told)
    _cuda_kernels[where] = tuple(value for value in module.__dict__.values() if isinstance(value, CudaKernel))
    if not registered and not _cuda_kernels[where]:
        _forget(module.__name__, before)
        raise KernelError("kernels", told, "a call of minigrad.kernels.register at its top level, or a CudaKernel", "neither")
    return registered


def _executed(where: str, told: str) -> tuple[ModuleType, ModuleType | None, Registered]:
    """A file's module, the module that had its name before, and what it registered."""
    try:
        with open(where, "rb") as file:
            source = file.read()
    except OSError as error:
        raise KernelError("kernels", told, "a Python file that registers kernels", error.strerror or str(error)) from None
    name = f"kernels_of_{os.path.basename(where).removesuffix('.py')}"
    module, before = ModuleType(name), sys.modules.get(name)
    module.__file__ = where
    sys.modules[name] = module
    sys.path.insert(0, os.path.dirname(where))
    with recorded() as registered:
        try:
            exec(compile(source, where, "exec"), module.__dict__)
        except BaseException as error:
            _take_away(tuple(registered))
            _forget(name, before)
            if not isinstance(error, (Exception, SystemExit)):
                raise
            raise _told(error, where, told) from error
        finally:
            if os.path.dirname(where) in sys.path:
                sys.path.remove(os.path.dirname(where))
    return module, before, tuple(registered)


def _forget(name: str, before: ModuleType | None) -> None:
    """Take a file's module away again, and put back the one that had its name."""
    del sys.modules[name]
    if before is not None:
        sys.modules[name] = before


def _told(error: BaseException, where: str, told: str) -> KernelError:
    """What went wrong in a file, with the line."""
    line = line_of(error, where)
    place = f"{told}, line {line}" if line else told
    if isinstance(error, KernelError):
        return KernelError(error.where, f"{place}: {error.argument}", error.expected, error.got, error.remedy)
    return KernelError("kernels", place, "a file that runs to its end", f"{type(error).__name__}: {error}".rstrip(": "))


def line_of(error: BaseException, where: str) -> int:
    """The last line of a file that an error went through, or 0."""
    if isinstance(error, SyntaxError) and error.filename == where:
        return error.lineno or 0
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == where]
    return lines[-1] if lines else 0


def _take_away(registered: Registered) -> None:
    for family, name in registered:
        if name in implementations(family) and not implementations(family)[name].module:
            unregister(family, name)
