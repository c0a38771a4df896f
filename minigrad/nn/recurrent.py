"""Recurrent layers: RNN, LSTM and GRU over sequences. What they compute at each step stands in ``cells.py``."""

from __future__ import annotations

import math
import warnings
from typing import Any

from minigrad.core.device import device_of
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.nn import cells, init
from minigrad.nn import functional as F
from minigrad.nn.cells import State, Weights
from minigrad.nn.checks import check_choice, check_counts, check_probability
from minigrad.nn.module import Module
from minigrad.nn.parameter import empty_parameter
from minigrad.nn.utils.rnn import PackedSequence
from minigrad.ops.creation import zeros
from minigrad.ops.parts import cat, stack

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What the recurrent layers share: layers, directions, packed sequences, states."""

    mode: str

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        where = self._get_name()
        check_choice(where, "mode", mode, _GATES)
        check_counts(where, 1, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_counts(where, proj_size=proj_size)
        for argument, value in (("bias", bias), ("batch_first", batch_first)):  # easily confused with num_layers
            if not isinstance(value, bool):
                raise DTypeError(where, argument, "True or False", repr(value))
        check_probability(where, dropout, "dropout")
        if proj_size >= hidden_size:
            raise ArgumentError(where, "proj_size", f"less than hidden_size={hidden_size}", str(proj_size))
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{where}: dropout={dropout} does nothing, as it acts between layers and num_layers is 1", stacklevel=3
            )
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        gates, out = _GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            wide = input_size if layer == 0 else out * (1 + bidirectional)
            for suffix in self._suffixes(layer):
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, wide), "weight_hh": (gates, out)}
                if bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    setattr(self, name + suffix, empty_parameter(*shape, device=device, dtype=dtype))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: 1 + self.bidirectional]

    def _weights(self, suffix: str) -> Weights:
        own = self.__dict__["_parameters"]

        def get(name: str) -> Any:  # a parametrised weight is an attribute, not a parameter
            key = name + suffix
            return own[key] if key in own else getattr(self, key)

        return Weights(
            get("weight_ih"),
            get("weight_hh"),
            get("bias_ih") if self.bias else None,
            get("bias_hh") if self.bias else None,
            get("weight_hr") if self.proj_size else None,
        )

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform within 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: for code that lays PyTorch's weights out for cuDNN."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction."""
        suffixes = [suffix for layer in range(self.num_layers) for suffix in self._suffixes(layer)]
        return [[weight for weight in self._weights(suffix) if weight is not None] for suffix in suffixes]

    # ------------------------------------------------------------------ input and states

    def _check_input(self, input: Any, ndims: tuple[int, ...]) -> None:
        where = self._get_name()
        check_tensor(where, "input", input)
        shape = tuple(input.array.shape)
        if len(shape) not in ndims:
            raise ShapeError(where, "input", f"{' or '.join(map(str, ndims))} dimensions", f"shape {shape}")
        if shape[-1] != self.input_size:
            raise ShapeError(where, "input", f"a last dimension of input_size={self.input_size}", f"shape {shape}")
        kind = self._weights("_l0").weight_ih.array.dtype
        if input.array.dtype != kind:
            raise DTypeError(
                where, "input", f"{kind}, as the weights", str(input.array.dtype), "Convert it with .to(), or the layer"
            )

    def _first_state(self, hx: Any, batch: int, batched: bool, like: Tensor) -> State:
        """The states to begin with, each (layers * directions, B, size)."""
        count = self.num_layers * (1 + self.bidirectional)
        sizes = [self.proj_size or self.hidden_size] + [self.hidden_size] * (self.mode == "LSTM")
        if hx is None:
            return tuple([zeros(count, batch, size, dtype=like.dtype, device=device_of(like.array)) for size in sizes])
        where = self._get_name()
        given = hx if self.mode == "LSTM" else (hx,)
        if not isinstance(given, (tuple, list)) or len(given) != len(sizes):
            raise DTypeError(where, "hx", "a pair of Tensors (h_0, c_0)", type(hx).__name__)
        states = []
        for name, state, size in zip(("h_0", "c_0"), given, sizes, strict=False):
            check_tensor(where, f"hx, {name}", state)
            wanted = (count, batch, size) if batched else (count, size)
            if tuple(state.array.shape) != wanted:
                raise ShapeError(where, f"hx, {name}", f"shape {wanted}", f"shape {tuple(state.array.shape)}")
            states.append(state if batched else state.unsqueeze(1))
        return tuple(states)

    def _last_state(self, state: State) -> Any:
        return state if self.mode == "LSTM" else state[0]

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        self._check_input(input, (2, 3))
        batched = input.array.ndim == 3
        if not batched:
            input = input.unsqueeze(0 if self.batch_first else 1)
        if self.batch_first:
            input = input.transpose(0, 1)
        steps, batch = input.array.shape[:2]
        if not steps:
            raise ShapeError(self._get_name(), "input", "at least one step", f"{steps} steps")
        first = self._first_state(hx, batch, batched, input)
        output, last = self._run(input.flatten(0, 1), [batch] * steps, first)
        output = output.unflatten(0, (steps, batch))
        if not batched:
            return output.squeeze(1), self._last_state(tuple([state.squeeze(1) for state in last]))
        return output.transpose(0, 1) if self.batch_first else output, self._last_state(last)

    def _forward_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, batch_sizes, order, back = input
        self._check_input(data, (2,))
        counts = batch_sizes.tolist()
        first = self._first_state(hx, counts[0], True, data)
        if order is not None and hx is not None:
            first = tuple([state.index_select(1, order) for state in first])
        output, last = self._run(data, counts, first)
        if back is not None:
            last = tuple([state.index_select(1, back) for state in last])
        return PackedSequence(output, batch_sizes, order, back), self._last_state(last)

    def _run(self, rows: Tensor, batch_sizes: list[int], first: State) -> tuple[Tensor, State]:
        """All layers and directions over packed rows."""
        sequence = cells.SEQUENCES[self.mode]
        starts = list(zip(*[state.unbind(0) for state in first], strict=True))  # for each layer and direction its states
        lasts: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                rows = F.dropout(rows, self.dropout, self.training)
            outputs = []
            for reverse, suffix in enumerate(self._suffixes(layer)):
                output, last = sequence(rows, batch_sizes, starts[len(lasts)], self._weights(suffix), bool(reverse))
                outputs.append(output)
                lasts.append(last)
            rows = outputs[0] if len(outputs) == 1 else cat(outputs, 1)
        return rows, tuple([stack(states) for states in zip(*lasts, strict=True)])

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0)):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return f"{text}, bidirectional=True" if self.bidirectional else text


class RNN(RNNBase):
    """The plain recurrent network (Elman 1990): h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh).

    Args:
        input_size, hidden_size: of x and h.
        num_layers: how many, each on the outputs of the one before.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: whether the b are there.
        batch_first: input and output are (B, T, *) in place of (T, B, *).
        dropout: between layers, while training.
        bidirectional: a second network reads each sequence from its end; outputs stand side by side.

    Shapes: input (T, B, input_size), (T, input_size) or a PackedSequence; hx (layers * directions, B, hidden_size), zeros if
    not given; output (T, B, directions * hidden_size); last state as hx.

    Raises:
        ArgumentError, DTypeError: an argument out of range.
        ShapeError, DTypeError: when called, an input or state that does not fit.

    Example:
        >>> import minigrad
        >>> output, h = RNN(3, 5)(minigrad.ones(7, 2, 3))
        >>> output.shape, h.shape
        (minigrad.Size([7, 2, 5]), minigrad.Size([1, 2, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        check_choice("RNN", "nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber 1997): see ``cells.lstm_step`` for the formula.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see ``RNN``.
        proj_size: project h to this size (Sak et al. 2014); 0: do not.

    Shapes: as ``RNN``; hx and last state are pairs (h, c). Weights: ``weight_ih_l0`` (4 hidden_size, input_size) and so on,
    gates in the order i f g o; ``_reverse`` for the second direction.

    Raises:
        ArgumentError, DTypeError: an argument out of range.
        ShapeError, DTypeError: when called, an input or state that does not fit.

    Example:
        >>> import minigrad
        >>> output, (h, c) = LSTM(3, 5, batch_first=True, bidirectional=True)(minigrad.ones(2, 7, 3))
        >>> output.shape, c.shape
        (minigrad.Size([2, 7, 10]), minigrad.Size([2, 2, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )


class GRU(RNNBase):
    """The gated recurrent unit (Cho et al. 2014): see ``cells.gru_step`` for the formula.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: see ``RNN``.

    Shapes: as ``RNN``. Weights: ``weight_ih_l0`` (3 hidden_size, input_size) and so on, gates in the order r z n.

    Raises:
        ArgumentError, DTypeError: an argument out of range.
        ShapeError, DTypeError: when called, an input or state that does not fit.

    Example:
        >>> import minigrad
        >>> output, h = GRU(3, 5, num_layers=2)(minigrad.ones(7, 2, 3))
        >>> output.shape, h.shape
        (minigrad.Size([7, 2, 5]), minigrad.Size([2, 2, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )


__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]
