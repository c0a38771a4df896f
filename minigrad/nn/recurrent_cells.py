"""Recurrent layers for one step: RNNCell, LSTMCell and GRUCell. What they compute stands in ``cells.py``."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import device_of
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.nn import cells, init
from minigrad.nn.cells import State, Weights
from minigrad.nn.checks import check_choice, check_counts
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, empty_parameter
from minigrad.ops.creation import zeros


class RNNCellBase(Module):
    """What the cells share: the parameters, and input and state with or without batch."""

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_counts(self._get_name(), 1, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        gates = num_chunks * hidden_size
        self.weight_ih = empty_parameter(gates, input_size, device=device, dtype=dtype)
        self.weight_hh = empty_parameter(gates, hidden_size, device=device, dtype=dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty_parameter(gates, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform within 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, kind: str, input: Tensor, hx: State | None, count: int = 1) -> State:
        where = self._get_name()
        check_tensor(where, "input", input)
        shape = tuple(input.array.shape)
        if len(shape) not in (1, 2) or shape[-1] != self.input_size:
            raise ShapeError(where, "input", f"shape (B, {self.input_size}) or ({self.input_size},)", f"shape {shape}")
        lead = shape[:-1]
        if hx is None:
            state: State = (zeros(*lead, self.hidden_size, dtype=input.dtype, device=device_of(input.array)),) * count
        else:
            if not isinstance(hx, (tuple, list)) or len(hx) != count:
                raise DTypeError(where, "hx", "a pair of Tensors (h_0, c_0)", type(hx).__name__)
            state = tuple(hx)
            for name, part in zip(("h_0", "c_0"), state, strict=False):
                check_tensor(where, f"hx, {name}", part)
                if tuple(part.array.shape) != (*lead, self.hidden_size):
                    wanted = f"shape {(*lead, self.hidden_size)}"
                    raise ShapeError(where, f"hx, {name}", wanted, f"shape {tuple(part.array.shape)}")
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if not lead:
            input, state = input.unsqueeze(0), tuple([part.unsqueeze(0) for part in state])
        result = cells.SEQUENCES[kind](input, [input.array.shape[0]], state, weights, False)[1]
        return result if lead else tuple([part.squeeze(0) for part in result])

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(RNNCellBase):
    """One step of ``RNN``: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size, hidden_size, bias, nonlinearity: see ``RNN``.

    Shapes: input (B, input_size) or (input_size,); hx and result likewise with hidden_size.

    Example:
        >>> import minigrad
        >>> RNNCell(3, 5)(minigrad.ones(2, 3)).shape
        minigrad.Size([2, 5])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        check_choice("RNNCell", "nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, None if hx is None else (hx,))[0]

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(RNNCellBase):
    """One step of ``LSTM``: (h', c') from input and (h, c).

    Args:
        input_size, hidden_size, bias: see ``LSTM``.

    Shapes: input (B, input_size) or (input_size,); h and c likewise with hidden_size.

    Example:
        >>> import minigrad
        >>> h, c = LSTMCell(3, 5)(minigrad.ones(2, 3))
        >>> h.shape, c.shape
        (minigrad.Size([2, 5]), minigrad.Size([2, 5]))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: State | None = None) -> State:
        return self._step("LSTM", input, hx, 2)


class GRUCell(RNNCellBase):
    """One step of ``GRU``.

    Args:
        input_size, hidden_size, bias: see ``GRU``.

    Shapes: input (B, input_size) or (input_size,); hx and result likewise with hidden_size.

    Example:
        >>> import minigrad
        >>> GRUCell(3, 5)(minigrad.ones(2, 3)).shape
        minigrad.Size([2, 5])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, None if hx is None else (hx,))[0]


__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]
