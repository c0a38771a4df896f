"""Switches of this thread: whether ops are recorded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from minigrad.core.tape import mode


class _Switch:
    """A context manager that is a decorator too; it may be entered again inside itself."""

    def __init__(self) -> None:
        self._before: list[Any] = []

    def __call__(self, function: Callable) -> Callable:
        if inspect.isgeneratorfunction(function):
            return self._around_generator(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._twin():
                return function(*args, **kwargs)

        return wrapped

    def _around_generator(self, function: Callable) -> Callable:
        """The switch holds while the generator runs, and not while its caller does."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            try:
                with self._twin():
                    value = next(generator)
                while True:
                    sent = yield value
                    with self._twin():
                        value = generator.send(sent)
            except StopIteration as stop:
                return stop.value
            finally:
                with self._twin():
                    generator.close()

        return wrapped

    def _twin(self) -> _Switch:
        return type(self)()

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, *_: Any) -> None:
        mode.grad, mode.inference = self._before.pop()


class no_grad(_Switch):  # noqa: N801 - PyTorch's name
    """Record nothing inside the block, or inside the function that it decorates.

    Example:
        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> with minigrad.no_grad():
        ...     (x * 2).requires_grad
        False
    """

    def __new__(cls, function: Callable | None = None) -> Any:
        switch = super().__new__(cls)
        if function is None:
            return switch
        switch.__init__()  # type: ignore[misc]
        return switch(function)

    def __init__(self, function: Callable | None = None) -> None:
        super().__init__()

    def __enter__(self) -> None:
        self._before.append((mode.grad, mode.inference))
        mode.grad = False


class enable_grad(no_grad):  # noqa: N801
    """Record inside the block, also where ``no_grad`` surrounds it."""

    def __enter__(self) -> None:
        self._before.append((mode.grad, mode.inference))
        mode.grad = True


class set_grad_enabled(_Switch):  # noqa: N801
    """Record or not: from now on when called as a function, or inside the block in a ``with`` statement.

    Example:
        >>> import minigrad
        >>> with minigrad.set_grad_enabled(False):
        ...     minigrad.is_grad_enabled()
        False
    """

    def __init__(self, mode_: bool) -> None:
        super().__init__()
        self._value = bool(mode_)
        self._outer = (mode.grad, mode.inference)
        mode.grad = self._value

    def _twin(self) -> _Switch:
        return set_grad_enabled(self._value)

    def __call__(self, function: Callable) -> Callable:
        mode.grad = self._outer[0]  # a decorator switches nothing until the function runs
        return super().__call__(function)

    def __enter__(self) -> None:
        self._before.append(self._outer)
        mode.grad = self._value


class inference_mode(_Switch):  # noqa: N801
    """As ``no_grad``; besides, what is made inside keeps no version and can never be part of a graph.

    Example:
        >>> import minigrad
        >>> with minigrad.inference_mode():
        ...     x = minigrad.ones(2) * 2
        >>> x.is_inference(), minigrad.ones(2).is_inference()
        (True, False)
    """

    def __new__(cls, mode_: Any = True) -> Any:
        return super().__new__(cls) if isinstance(mode_, bool) else cls()(mode_)

    def __init__(self, mode_: Any = True) -> None:
        super().__init__()
        self._value = mode_

    def _twin(self) -> _Switch:
        return inference_mode(self._value)

    def __enter__(self) -> None:
        self._before.append((mode.grad, mode.inference))
        mode.inference, mode.grad = self._value, not self._value


def is_grad_enabled() -> bool:
    """Whether ops are being recorded in this thread. See ``no_grad``."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside ``inference_mode``. See ``inference_mode``."""
    return mode.inference
