"""The Module: a tree of parameters, buffers and further modules, with a ``forward``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from minigrad.core.device import device as _device
from minigrad.core.device import device_of, move, names_device
from minigrad.core.dtypes import DType, as_dtype, float16, float32, float64
from minigrad.core.hints import check_constructor
from minigrad.core.refusals import refuse_size
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, GradError
from minigrad.nn.hooks import Hookable, call_with_hooks
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.nn.state import Stateful

_TABLES = ("_parameters", "_buffers", "_modules")


class Module(Hookable, Stateful):
    """The base of all layers and networks.

    Assign parameters, buffers and modules as attributes in ``__init__``, after ``super().__init__()``, and write
    ``forward``. Calling the module calls ``forward``, with the hooks around it where there are any.

    Attributes:
        training: whether the module is being trained; dropout and batch normalisation ask for it.

    Example:
        >>> import minigrad
        >>> from minigrad import nn
        >>> class Double(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = nn.Parameter(minigrad.tensor(2.0))
        ...     def forward(self, x):
        ...         return self.factor * x
        >>> net = Double()
        >>> net(minigrad.ones(2)).tolist(), list(net.state_dict())
        ([2.0, 2.0], ['factor'])
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent: set[str]

    def __init__(self) -> None:
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _non_persistent=set(), _modules={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes: to be written by each class."""
        raise NotImplementedError(f"{type(self).__name__} has no forward: write one, def forward(self, ...)")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_constructor(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return call_with_hooks(self, args, kwargs)

    # ------------------------------------------------------------------ attributes

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for table in _TABLES:
            if table in own and name in own[table]:
                return own[table][name]
        hint = "" if "_parameters" in own else ": call super().__init__() first in its __init__"
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    def _check_no_circle(self, name: str, module: Module | None) -> None:
        """Every walk over the modules would go round for ever."""
        if module is self or (module is not None and module._modules and any(inner is self for inner in module.modules())):
            remedy = "Keep it in a list, which is no part of the module, if you need to reach it"
            raise ArgumentError(type(self).__name__, name, "a module that does not hold this one", "one that does", remedy)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, (Parameter, Module, Buffer)):
            if "_parameters" not in own:
                raise ArgumentError(
                    type(self).__name__,
                    name,
                    "a module that is set up",
                    f"a {type(value).__name__} before Module.__init__() ran",
                    "Call super().__init__() first in its __init__",
                )
            for table in (own, own["_parameters"], own["_buffers"], own["_modules"]):
                if name in table and not self._keeps_place(table, value):
                    del table[name]
            if isinstance(value, Parameter):
                self.register_parameter(name, value)
            elif isinstance(value, Module):
                self._check_no_circle(name, value)
                own["_modules"][name] = value
            else:
                self.register_buffer(name, value, value.persistent)
            return
        for table, kind in zip(_TABLES, ("a Parameter or None", "a Tensor or None", "a Module or None"), strict=True):
            if table in own and name in own[table]:
                if value is not None and not (table == "_buffers" and isinstance(value, Tensor)):
                    raise DTypeError(
                        type(self).__name__,
                        name,
                        kind,
                        f"a {type(value).__name__}",
                        "Delete the attribute first, or choose another name",
                    )
                own[table][name] = value
                return
        object.__setattr__(self, name, value)

    def _keeps_place(self, table: dict, value: Any) -> bool:
        """Whether the table holds what is of the same sort, so that it is replaced and the order stays."""
        sort = "_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else "_buffers"
        return table is self.__dict__[sort]

    def __delattr__(self, name: str) -> None:
        for table in _TABLES:
            if name in self.__dict__.get(table, ()):
                del self.__dict__[table][name]
                self._non_persistent.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *(name for table in _TABLES for name in self.__dict__.get(table, ()))}
        return sorted(name for name in names if not name[0].isdigit())

    def _check_name(self, where: str, name: Any, table: dict) -> None:
        if not isinstance(name, str):
            raise DTypeError(where, "name", "a string", type(name).__name__)
        if not name or "." in name:
            raise ArgumentError(where, "name", "a name without dots that is not empty", repr(name))
        if name not in table and hasattr(self, name):
            raise ArgumentError(
                where, "name", "one that is free", f"{name!r}, which {type(self).__name__} has already", "Choose another"
            )

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; ``None`` keeps the place of one that is switched off.

        Raises:
            DTypeError: ``param`` is no Parameter.
            GradError: it is the result of an op.
            ArgumentError: the name is taken, empty or has dots.
        """
        self._check_name("register_parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise DTypeError(
                    "register_parameter", name, "a Parameter or None", type(param).__name__, "Wrap it in Parameter()"
                )
            if param.grad_fn is not None:
                raise GradError(
                    "register_parameter", name, "a leaf", f"the result of {param.grad_fn!r}", "Compute it in forward()"
                )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that moves with the module and, if ``persistent``, is part of ``state_dict``, but is not learnt.

        Raises:
            DTypeError: ``tensor`` is no Tensor.
            ArgumentError: the name is taken, empty or has dots.
        """
        self._check_name("register_buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise DTypeError("register_buffer", name, "a Tensor or None", type(tensor).__name__)
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent.discard(name)
        else:
            self._non_persistent.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a module under a name.

        Raises:
            DTypeError: ``module`` is no Module.
            ArgumentError: the name is taken, empty or has dots.
        """
        if module is not None and not isinstance(module, Module):
            raise DTypeError("register_module", str(name), "a Module or None", type(module).__name__)
        self._check_name("register_module", name, self._modules)
        self._check_no_circle(name, module)
        self._modules[name] = module

    add_module = register_module

    # ------------------------------------------------------------------ the tree

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each with its path; a module met twice once only, unless asked otherwise."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, with their names."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        for _, module in self.named_children():
            yield module

    def _named_tensors(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        seen: set[int] = set()
        for path, module in modules:
            for name, tensor in module.__dict__[table].items():
                if tensor is None or id(tensor) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(tensor))
                yield f"{path}.{name}" if path else name, tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module and (``recurse``) of those below, each with its path."""
        return self._named_tensors("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and (``recurse``) of those below."""
        for _, tensor in self.named_parameters(recurse=recurse):
            yield tensor

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers of this module and (``recurse``) of those below, each with its path."""
        return self._named_tensors("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and (``recurse``) of those below."""
        for _, tensor in self.named_buffers(recurse=recurse):
            yield tensor

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as ``"layer1.0.conv"``; this one for the empty path.

        Raises:
            AttributeError: nothing has that path, or what has it is no module.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"{name!r} in {target!r} is a {type(module).__name__}, not a Module")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path.

        Raises:
            AttributeError: nothing has that path, or what has it is no parameter.
        """
        return self._get("_parameters", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path.

        Raises:
            AttributeError: nothing has that path, or what has it is no buffer.
        """
        return self._get("_buffers", target)

    def _get(self, table: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module.__dict__[table]:
            raise AttributeError(f"{type(module).__name__} has no {name!r} among its {table[1:]}")
        return module.__dict__[table][name]

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` with each module below this one, then with this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # ------------------------------------------------------------------ switches

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training, or to evaluation."""
        if not isinstance(mode, bool):
            raise DTypeError("train", "mode", "True or False", repr(mode))
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Switch this module and all below it to evaluation."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say whether the parameters shall be learnt."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                if set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad.detach_().zero_()

    # ------------------------------------------------------------------ dtype and device

    def to(self, *target: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Move all parameters and buffers to a device, and those of a float dtype to another float dtype.

        The Parameter objects stay the same, so that an optimiser that holds them goes on; what they hold is replaced.

        Args:
            target: a dtype, a device, both, or a Tensor whose dtype and device are taken.
            dtype, device: the same by name.
            non_blocking: accepted for PyTorch's sake.

        Raises:
            DTypeError: the dtype is no float dtype.
            DeviceError: the device is not there.
        """
        for item in target:
            if isinstance(item, Tensor):
                dtype, device = item.dtype, item.device
            elif names_device(item):
                device = item
            elif item is not None:
                dtype = item
        kind = None if dtype is None else as_dtype("Module.to", dtype)
        if kind is not None and kind.kind != "f":
            raise DTypeError("Module.to", "dtype", "a float dtype", str(kind), "Integer buffers keep their dtype")
        self._convert(kind, None if device is None else _device(device))
        return self

    def _convert(self, dtype: DType | None, device: _device | None) -> None:
        def converted(array: Any) -> Any:
            try:
                array = move(array, device or device_of(array))
            except MemoryError as error:
                refuse_size("Module.to", error)
                raise
            return array if dtype is None or array.dtype.kind != "f" or array.dtype == dtype else array.astype(dtype, order="K")

        for parameter in self.parameters():
            if (array := converted(parameter.array)) is not parameter.array:
                parameter.array = array
                if parameter._counter is not None:
                    parameter._counter[0] += 1  # a graph that needs the old numbers must not meet the new ones
            if parameter.grad is not None:
                parameter.grad = parameter.grad.detach().to(parameter.device).to(parameter.dtype)
        buffers: dict[int, Tensor] = {}
        for module in self.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None and (array := converted(buffer.array)) is not buffer.array:
                    module._buffers[name] = buffers.setdefault(id(buffer), Tensor._wrap(array))

    def float(self) -> Self:
        """Parameters and buffers of float dtypes as float32."""
        return self.to(float32)

    def double(self) -> Self:
        """Parameters and buffers of float dtypes as float64."""
        return self.to(float64)

    def half(self) -> Self:
        """Parameters and buffers of float dtypes as float16."""
        return self.to(float16)

    def cpu(self) -> Self:
        """Everything on the CPU."""
        return self.to(device="cpu")

    def cuda(self, device: Any = None) -> Self:
        """Everything on a GPU: the first, or that of index ``device``.

        Raises:
            DeviceError: there is none; the message says what is missing.
        """
        return self.to(device=_device("cuda", device) if isinstance(device, int) else device or "cuda")

    # ------------------------------------------------------------------ copies and text

    def __getstate__(self) -> dict[str, Any]:
        # For pickle and deepcopy. What forward left as an attribute (spectral_norm's weight) is copied outside its graph.
        return {
            name: value.detach() if isinstance(value, Tensor) and value.grad_fn is not None else value
            for name, value in self.__dict__.items()
        }

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the brackets of the repr, before the modules below."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


__all__ = ["Module"]
