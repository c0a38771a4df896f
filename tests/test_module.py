"""Module: attributes, the tree, hooks, state, conversion, copies. PyTorch beside where it has an opinion."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError, GradError, IndexingError, MinigradError, StateError
from tests.harness import Refusal


def network(m: Any) -> Any:
    """A tree with shared parameters, a shared module, empty places, and buffers of both sorts."""

    class Block(m.nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.scale = m.nn.Parameter(m.ones(width))
            self.register_parameter("bias", None)
            self.register_buffer("mean", m.zeros(width))
            self.register_buffer("scratch", m.zeros(2), persistent=False)
            self.register_buffer("nothing", None)
            self.inner = m.nn.Linear(width, width, bias=False)
            self.absent = None

        def forward(self, x: Any) -> Any:
            return self.inner(x * self.scale)

    class Net(m.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = Block(3)
            self.second = Block(3)
            self.second.inner.weight = self.first.inner.weight
            self.again = self.first
            self.head = m.nn.Sequential(OrderedDict(norm=m.nn.BatchNorm1d(3), out=m.nn.Linear(3, 2)))
            self.count = m.nn.Buffer(m.tensor(7))

        def forward(self, x: Any) -> Any:
            return self.head(self.second(self.first(x)))

    return Net()


# ---------------------------------------------------------------------- attributes


def test_attributes_go_to_their_tables() -> None:
    net = network(minigrad)
    assert list(net._modules) == ["first", "second", "again", "head"]
    assert list(net._buffers) == ["count"] and list(net.first._parameters) == ["scale", "bias"]
    assert "first" in dir(net) and "0" not in dir(nn.Sequential(nn.ReLU()))
    net.first.scale = None
    assert net.first.scale is None and list(net.first._parameters) == ["scale", "bias"]
    net.first.scale = nn.Parameter(minigrad.zeros(3))
    assert list(net.first._parameters) == ["scale", "bias"]  # the place is kept
    net.first.mean = minigrad.ones(3)
    assert "mean" in net.first._buffers and "mean" not in net.first.__dict__
    net.first.mean = nn.Parameter(minigrad.ones(3))
    assert "mean" not in net.first._buffers and "mean" in net.first._parameters
    net.first.inner = nn.ReLU()
    assert isinstance(net.first.inner, nn.ReLU)
    net.first.text = "plain"
    net.first.text = nn.ReLU()
    assert "text" not in net.first.__dict__ and isinstance(net.first.text, nn.ReLU)


def test_attributes_can_be_deleted() -> None:
    net = network(minigrad)
    for name in ("scale", "scratch", "inner"):
        delattr(net.first, name)
        assert not hasattr(net.first, name)
    net.first.register_buffer("scratch", minigrad.zeros(1))  # its being left out of the state is forgotten
    assert "first.scratch" in net.state_dict()
    with pytest.raises(AttributeError):
        del net.first.scale


def test_missing_attribute_says_so() -> None:
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        _ = nn.Linear(1, 1).wieght

    class Forgot(nn.Module):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match="super"):
        _ = Forgot().layer
    with pytest.raises(NotImplementedError, match="Forgot has no forward"):
        Forgot()()


def test_parameter_is_a_leaf_that_shares_memory() -> None:
    data = minigrad.ones(2)
    parameter = nn.Parameter(data)
    assert parameter.requires_grad and parameter.is_leaf and parameter.array is data.array
    assert isinstance(parameter, minigrad.Tensor)
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert repr(parameter) == f"Parameter containing:\n{minigrad.ones(2, requires_grad=True)!r}"
    twin = copy.deepcopy(parameter)
    assert type(twin) is nn.Parameter and twin.requires_grad and twin.array is not parameter.array
    assert type(pickle.loads(pickle.dumps(parameter))) is nn.Parameter
    assert type(parameter * 2) is minigrad.Tensor
    assert nn.Parameter().shape == (0,)
    assert nn.Buffer(data, persistent=False).array is data.array


def bad_module(name: str) -> Callable[[Any], Any]:
    def call(m: Any) -> Any:
        class Forgot(m.nn.Module):
            def __init__(self) -> None:
                setattr(self, name, m.nn.ReLU() if name == "layer" else m.nn.Parameter(m.ones(1)))

        return Forgot()

    return call


def registered(method: str, *args: Any) -> Callable[[Any], Any]:
    return lambda m: getattr(m.nn.Linear(1, 1), method)(*args)


REFUSALS = [
    Refusal("module before super", bad_module("layer"), ArgumentError, ("layer", "super().__init__()")),
    Refusal("parameter before super", bad_module("weight"), ArgumentError, ("weight", "super().__init__()")),
    Refusal("name with dot", registered("register_parameter", "a.b", None), ArgumentError, ("'a.b'", "without dots")),
    Refusal("empty name", registered("register_buffer", "", None), ArgumentError, ("register_buffer", "not empty")),
    Refusal("name is no text", registered("register_module", 3, None), DTypeError, ("register_module", "int")),
    Refusal("name taken", registered("register_buffer", "forward", None), ArgumentError, ("'forward'", "Linear has already")),
    Refusal("parameter that is none", registered("register_parameter", "p", minigrad.ones(1)), DTypeError, ("Parameter()",)),
    Refusal("buffer that is none", registered("register_buffer", "p", 3), DTypeError, ("a Tensor or None", "int")),
    Refusal("module that is none", registered("add_module", "p", 3), DTypeError, ("a Module or None", "int")),
    Refusal("assign to parameter", lambda m: setattr(m.nn.Linear(1, 1), "bias", m.ones(1)), DTypeError, ("bias", "Parameter")),
    Refusal("assign to module", lambda m: setattr(m.nn.Sequential(m.nn.ReLU()), "0", 3), DTypeError, ("a Module or None",)),
    Refusal("assign to buffer", lambda m: setattr(m.nn.BatchNorm1d(1), "running_var", 3), DTypeError, ("a Tensor or None",)),
    Refusal("parameter of integers", lambda m: m.nn.Parameter(m.tensor([1])), DTypeError, ("requires_grad_", "int64")),
    Refusal("parameter of a list", lambda m: m.nn.Parameter([1.0]), DTypeError, ("Parameter", "data", "list")),
    Refusal("to integers", lambda m: m.nn.Linear(1, 1).to(m.int64), DTypeError, ("Module.to", "int64")),
    Refusal("train with a text", lambda m: m.nn.Linear(1, 1).train("yes"), DTypeError, ("train", "mode", "'yes'")),
    Refusal("state is no mapping", lambda m: m.nn.Linear(1, 1).load_state_dict([1]), DTypeError, ("load_state_dict", "list")),
    Refusal("Linear sizes", lambda m: m.nn.Linear(3, -1), ArgumentError, ("Linear", "out_features", "-1")),
    Refusal("Linear of a float", lambda m: m.nn.Linear(3.0, 1), DTypeError, ("Linear", "in_features", "3.0")),
    Refusal("Bilinear of nothing", lambda m: m.nn.Bilinear(0, 1, 1), ArgumentError, ("Bilinear", "in1_features", "at least 1")),
    Refusal(
        "Bilinear input",
        lambda m: m.nn.Bilinear(2, 3, 4)(m.ones(5, 2), m.ones(5, 2)),
        MinigradError,
        ("Bilinear", "input2", "3", "(5, 2)"),
    ),
    Refusal("Conv groups", lambda m: m.nn.Conv2d(3, 4, 3, groups=2), ArgumentError, ("Conv2d", "in_channels", "groups=2", "3")),
    Refusal("Conv groups out", lambda m: m.nn.Conv2d(4, 3, 3, groups=2), ArgumentError, ("out_channels", "groups=2", "3")),
    Refusal("Conv groups 0", lambda m: m.nn.Conv1d(4, 3, 3, groups=0), ArgumentError, ("Conv1d", "groups", "at least 1")),
    Refusal("Conv kernel", lambda m: m.nn.Conv2d(1, 1, (1, 2, 3)), ArgumentError, ("Conv2d", "kernel_size", "(1, 2, 3)")),
    Refusal("Conv kernel 0", lambda m: m.nn.Conv2d(1, 1, (1, 0)), ArgumentError, ("kernel_size", "at least 1", "0")),
    Refusal("Conv kernel text", lambda m: m.nn.Conv2d(1, 1, ("3", 3)), DTypeError, ("kernel_size", "'3'")),
    Refusal("Conv padding text", lambda m: m.nn.Conv2d(1, 1, 3, padding="all"), ArgumentError, ("padding", "'same'", "'all'")),
    Refusal("Conv same stride", lambda m: m.nn.Conv2d(1, 1, 3, 2, "same"), ArgumentError, ("stride", "(2, 2)")),
    Refusal("Conv mode", lambda m: m.nn.Conv2d(1, 1, 3, padding_mode="mirror"), ArgumentError, ("padding_mode", "'mirror'")),
    Refusal("ConvTranspose mode", lambda m: m.nn.ConvTranspose2d(1, 1, 3, padding_mode="reflect"), ArgumentError, ("'zeros'",)),
    Refusal(
        "ConvTranspose same", lambda m: m.nn.ConvTranspose1d(1, 1, 3, padding="same"), ArgumentError, ("padding", "'same'")
    ),
    Refusal(
        "output_size",
        lambda m: m.nn.ConvTranspose2d(1, 1, 3, 2)(m.ones(1, 1, 3, 3), output_size=(9, 7)),
        MinigradError,
        ("output_size", "(7, 7)", "(8, 8)", "(9, 7)"),
    ),
    Refusal(
        "output_size count",
        lambda m: m.nn.ConvTranspose2d(1, 1, 3, 2)(m.ones(1, 1, 3, 3), output_size=(9,)),
        MinigradError,
        ("output_size", "2 or 4 sizes", "(9,)"),
    ),
    Refusal(
        "BatchNorm1d input", lambda m: m.nn.BatchNorm1d(2)(m.ones(1, 2, 3, 4)), MinigradError, ("BatchNorm1d", "(1, 2, 3, 4)")
    ),
    Refusal("BatchNorm2d input", lambda m: m.nn.BatchNorm2d(2)(m.ones(1, 2)), MinigradError, ("BatchNorm2d", "(N, C, H, W)")),
    Refusal("InstanceNorm input", lambda m: m.nn.InstanceNorm2d(2)(m.ones(1, 2)), MinigradError, ("InstanceNorm2d", "(1, 2)")),
    Refusal(
        "InstanceNorm channels",
        lambda m: m.nn.InstanceNorm1d(2, affine=True)(m.ones(1, 3, 4)),
        MinigradError,
        ("InstanceNorm1d", "2 channels", "(1, 3, 4)"),
    ),
    Refusal("GroupNorm", lambda m: m.nn.GroupNorm(3, 4), ArgumentError, ("num_channels", "num_groups=3", "4")),
    Refusal("LayerNorm", lambda m: m.nn.LayerNorm((3, "4")), DTypeError, ("LayerNorm", "normalized_shape", "'4'")),
    Refusal("Dropout", lambda m: m.nn.Dropout(1.5), ArgumentError, ("Dropout", "p", "1.5")),
    Refusal("Embedding", lambda m: m.nn.Embedding(5, 2, padding_idx=5), ArgumentError, ("padding_idx", "5")),
    Refusal("Embedding table", lambda m: m.nn.Embedding.from_pretrained(m.ones(3)), MinigradError, ("from_pretrained", "(3,)")),
    Refusal(
        "Embedding weight", lambda m: m.nn.Embedding(5, 2, _weight=m.ones(3, 2)), MinigradError, ("_weight", "(5, 2)", "(3, 2)")
    ),
    Refusal("loss reduction", lambda m: m.nn.MSELoss(reduction="avg"), ArgumentError, ("MSELoss", "reduction", "'avg'")),
    Refusal("KLDiv reduction", lambda m: m.nn.KLDivLoss(reduction="avg"), ArgumentError, ("'batchmean'", "'avg'")),
    Refusal("PReLU", lambda m: m.nn.PReLU(0), ArgumentError, ("PReLU", "num_parameters", "0")),
    Refusal("PixelShuffle", lambda m: m.nn.PixelShuffle(0), ArgumentError, ("upscale_factor", "0")),
    Refusal("PixelUnshuffle", lambda m: m.nn.PixelUnshuffle(0), ArgumentError, ("downscale_factor", "0")),
    Refusal("pad widths", lambda m: m.nn.ZeroPad2d((1, 2)), ArgumentError, ("ZeroPad2d", "padding", "(1, 2)")),
    Refusal("pad input", lambda m: m.nn.ReflectionPad2d(1)(m.ones(3, 3)), MinigradError, ("ReflectionPad2d", "(3, 3)")),
    Refusal("Sequential of numbers", lambda m: m.nn.Sequential(3), DTypeError, ("a Module", "int")),
    Refusal(
        "Sequential index",
        lambda m: m.nn.Sequential(m.nn.ReLU())[1],
        IndexingError,
        ("Sequential", "index", "from -1 to 0", "1"),
    ),
    Refusal("Sequential index text", lambda m: m.nn.Sequential(m.nn.ReLU())["0"], DTypeError, ("index", "'0'")),
    Refusal("Sequential append", lambda m: m.nn.Sequential().append(3), DTypeError, ("Sequential", "int")),
    Refusal("Sequential times 0", lambda m: m.nn.Sequential(m.nn.ReLU()) * 0, ArgumentError, ("Sequential", "at least 1", "0")),
    Refusal("ModuleList extend", lambda m: m.nn.ModuleList().extend(3), DTypeError, ("ModuleList.extend", "int")),
    Refusal("ModuleList item", lambda m: m.nn.ModuleList([3]), DTypeError, ("ModuleList", "int")),
    Refusal("ModuleDict key", lambda m: m.nn.ModuleDict({"a": m.nn.ReLU()})["b"], IndexingError, ("ModuleDict", "'a'", "'b'")),
    Refusal("ModuleDict items", lambda m: m.nn.ModuleDict(3), DTypeError, ("ModuleDict.update", "int")),
    Refusal("ModuleDict pairs", lambda m: m.nn.ModuleDict([("a",)]), ArgumentError, ("item 0", "('a',)")),
    Refusal("ParameterList index", lambda m: m.nn.ParameterList()[0], IndexingError, ("ParameterList", "0")),
    Refusal(
        "ParameterList of a tensor", lambda m: m.nn.ParameterList(m.ones(3)), DTypeError, ("ParameterList.extend", "Tensor")
    ),
    Refusal("ParameterDict key", lambda m: m.nn.ParameterDict()["b"], IndexingError, ("ParameterDict", "empty", "'b'")),
    Refusal(
        "ParameterDict name", lambda m: m.nn.ParameterDict({"keys": m.ones(1)}), ArgumentError, ("ParameterDict", "'keys'")
    ),
    Refusal("ParameterList call", lambda m: m.nn.ParameterList()(3), NotImplementedError, ("cannot be called",)),
    Refusal("ParameterDict call", lambda m: m.nn.ParameterDict()(3), NotImplementedError, ("cannot be called",)),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_refusal_says_what_to_do(refusal: Refusal) -> None:
    with pytest.raises(refusal.error) as caught:
        refusal.call(minigrad)
    for word in refusal.words:
        assert word in str(caught.value)


def test_a_result_is_no_parameter() -> None:
    parameter = nn.Parameter(minigrad.ones(2), requires_grad=False)
    parameter.mul_(minigrad.ones(2, requires_grad=True))
    with pytest.raises(GradError, match="leaf"):
        nn.Linear(1, 1).register_parameter("made", parameter)


# ---------------------------------------------------------------------- the tree

WALKS: list[Callable[[Any], list[str]]] = [
    lambda net: [name for name, _ in net.named_modules()],
    lambda net: [name for name, _ in net.named_modules(prefix="net", remove_duplicate=False)],
    lambda net: [name for name, _ in net.named_children()],
    lambda net: [type(module).__name__ for module in net.modules()],
    lambda net: [type(module).__name__ for module in net.children()],
    lambda net: [name for name, _ in net.named_parameters()],
    lambda net: [name for name, _ in net.named_parameters("p", remove_duplicate=False)],
    lambda net: [name for name, _ in net.named_parameters(recurse=False)],
    lambda net: [name for name, _ in net.first.named_parameters("x", recurse=False)],
    lambda net: [str(tuple(parameter.shape)) for parameter in net.parameters()],
    lambda net: [name for name, _ in net.named_buffers()],
    lambda net: [name for name, _ in net.named_buffers("b", recurse=False)],
    lambda net: [str(tuple(buffer.shape)) for buffer in net.buffers()],
    lambda net: list(net.state_dict()),
    lambda net: list(net.state_dict(prefix="model.")),
    lambda net: [repr(net), repr(net.first)],
]
NAMES = [
    ["", "first", "first.inner", "second", "second.inner", "head", "head.norm", "head.out"],
    [f"net{n}" for n in ("", ".first", ".first.inner", ".second", ".second.inner", ".again", ".again.inner", ".head")],
]


@pytest.mark.parametrize(("walk", "names"), list(zip(WALKS[:2], NAMES, strict=True)), ids=["once", "twice"])
def test_walk_has_these_names(walk: Callable[[Any], list[str]], names: list[str]) -> None:
    assert walk(network(minigrad))[:8] == names


def test_parameters_are_named_once() -> None:
    net = network(minigrad)
    names = [name for name, _ in net.named_parameters()]
    assert names[:4] == ["first.scale", "first.inner.weight", "second.scale", "head.norm.weight"]
    assert names[4:] == ["head.norm.bias", "head.out.weight", "head.out.bias"]
    assert [name for name, _ in net.named_buffers()][:3] == ["count", "first.mean", "first.scratch"]
    assert "first.scratch" not in net.state_dict() and "again.mean" in net.state_dict()


@pytest.mark.peer
@pytest.mark.parametrize("walk", WALKS)
def test_walk_is_pytorchs(walk: Callable[[Any], list[str]]) -> None:
    import torch

    assert walk(network(minigrad)) == walk(network(torch))


def test_paths_lead_to_things() -> None:
    net = network(minigrad)
    assert net.get_submodule("") is net and net.get_submodule("head.out") is net.head.out
    assert net.get_parameter("first.inner.weight") is net.first.inner.weight
    assert net.get_buffer("count") is net.count
    for call in (
        lambda: net.get_submodule("head.missing"),
        lambda: net.get_submodule("first.scale"),
        lambda: net.get_parameter("first.mean"),
        lambda: net.get_buffer("first.scale"),
    ):
        with pytest.raises(AttributeError):
            call()


def test_apply_goes_from_the_leaves_to_the_root() -> None:
    seen: list[str] = []
    net = network(minigrad)
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Linear", "Block", "Linear", "Block", "BatchNorm1d", "Linear", "Sequential", "Net"]


def test_train_and_eval_reach_all() -> None:
    net = network(minigrad)
    assert net.training and net.eval() is net
    assert not any(module.training for module in net.modules())
    net.head.train()
    assert [module.training for module in net.modules()].count(True) == 3


def test_requires_grad_and_zero_grad() -> None:
    net = network(minigrad)
    net(minigrad.ones(4, 3)).sum().backward()
    gradients = [parameter.grad for parameter in net.parameters()]
    assert all(gradient is not None for gradient in gradients)
    net.zero_grad(set_to_none=False)
    assert [parameter.grad is gradient for parameter, gradient in zip(net.parameters(), gradients)] == [True] * len(gradients)
    assert all((parameter.grad == 0).all() for parameter in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())
    assert net.requires_grad_(False) is net
    assert not net(minigrad.ones(4, 3)).requires_grad


# ---------------------------------------------------------------------- hooks


def hooked(m: Any) -> list[Any]:
    """What hooks of all sorts see and change, told as text and numbers."""
    told: list[Any] = []

    class Pair(m.nn.Module):
        def forward(self, a: Any, b: Any = None, *, factor: float = 1.0) -> Any:
            return a * 2 * factor, (a + b if b is not None else a) * 3

    layer = Pair()
    layer.register_forward_pre_hook(lambda module, args: told.append(("pre", len(args))))
    layer.register_forward_pre_hook(lambda module, args: (args[0] * 2, *args[1:]))
    layer.register_forward_pre_hook(lambda module, args, kwargs: (args, {**kwargs, "factor": 5.0}), with_kwargs=True)
    layer.register_forward_pre_hook(lambda module, args: told.append("first"), prepend=True)
    layer.register_forward_hook(lambda module, args, output: told.append(("after", output[0].tolist())))
    layer.register_forward_hook(lambda module, args, output: (output[0] + 1, output[1]))
    layer.register_forward_hook(lambda module, args, kwargs, output: told.append(sorted(kwargs)), with_kwargs=True)

    def numbers(grads: Any) -> list[Any]:
        return [None if grad is None else grad.tolist() for grad in grads]

    layer.register_full_backward_pre_hook(lambda module, grad_output: told.append(("out", numbers(grad_output))))
    layer.register_full_backward_pre_hook(lambda module, grads: tuple(None if g is None else g * 10 for g in grads))
    layer.register_full_backward_hook(lambda module, grads, outs: told.append(("in", numbers(grads), numbers(outs))))
    layer.register_full_backward_hook(lambda module, grads, outs: tuple(None if g is None else g + 0.5 for g in grads))
    layer.register_full_backward_hook(lambda module, grads, outs: told.append(("last", numbers(grads))))

    a = m.tensor([1.0, 2.0], requires_grad=True)
    b = m.tensor([3.0, 4.0])
    one, two = layer(a * 1, b)
    told.append([one.tolist(), two.tolist()])
    (one.sum() + (two * m.tensor([1.0, 2.0])).sum()).backward()
    told.append(a.grad.tolist())
    return told


def test_hooks_see_and_change_what_passes() -> None:
    assert hooked(minigrad) == [
        "first",
        ("pre", 2),
        ("after", [20.0, 40.0]),
        ["factor"],
        [[21.0, 41.0], [15.0, 24.0]],
        ("out", [[1.0, 1.0], [1.0, 2.0]]),
        ("in", [[130.0, 160.0], [0.0, 0.0]], [[10.0, 10.0], [10.0, 20.0]]),
        ("last", [[130.5, 160.5], [0.5, 0.5]]),
        [261.0, 321.0],
    ]


@pytest.mark.peer
def test_hooks_are_pytorchs() -> None:
    import torch

    ours, theirs = hooked(minigrad), hooked(torch)
    assert repr(ours) == repr(theirs)


def one_sided(m: Any) -> list[Any]:
    """Backward hooks where an output is unused, where no input requires grad, and where one value is returned alone."""
    told: list[Any] = []
    layer = m.nn.Linear(1, 1)
    with m.no_grad():
        layer.weight.fill_(3.0)
    layer.register_full_backward_hook(lambda module, grads, outs: told.append((grads, [g.tolist() for g in outs])))
    layer(m.tensor([[2.0]])).sum().backward()
    told.append(layer.weight.grad.tolist())

    class Split(m.nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2, x * 3

    split = Split()
    split.register_full_backward_pre_hook(lambda module, outs: told.append([None if g is None else g.tolist() for g in outs]))
    split.register_full_backward_hook(lambda module, grads, outs: (grads[0] * 7,))
    x = m.tensor([1.0], requires_grad=True)
    split(x)[1].sum().backward()
    told.append(x.grad.tolist())
    return told


def test_backward_hooks_where_gradients_are_missing() -> None:
    assert one_sided(minigrad) == [((None,), [[[1.0]]]), [[2.0]], [None, [1.0]], [21.0]]


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # PyTorch's, where no input requires grad
def test_backward_hooks_where_gradients_are_missing_are_pytorchs() -> None:
    import torch

    assert repr(one_sided(minigrad)) == repr(one_sided(torch))


def test_always_called_hook_runs_after_an_error() -> None:
    class Fails(nn.Module):
        def forward(self, x: Any) -> Any:
            raise KeyError("inside")

    told: list[Any] = []
    layer = Fails()
    layer.register_forward_hook(lambda module, args, output: told.append("usual"))
    layer.register_forward_hook(lambda module, args, output: told.append(("always", output)), always_call=True)
    with pytest.raises(KeyError, match="inside"):
        layer(1)
    assert told == [("always", None)]

    def also_fails(module: Any, args: Any, output: Any) -> None:
        raise ValueError("in the hook")

    layer.register_forward_hook(also_fails, always_call=True)
    with pytest.warns(UserWarning, match="in the hook"), pytest.raises(KeyError, match="inside"):
        layer(1)


def test_hooks_can_be_removed_and_have_numbers_of_their_own() -> None:
    told: list[str] = []
    layer = nn.Identity()
    first = layer.register_forward_hook(lambda *_: told.append("first"))
    first.remove()
    second = layer.register_forward_hook(lambda *_: told.append("second"))
    first.remove()  # again: must not take the second away
    layer(1)
    assert told == ["second"]
    with second:
        pass
    layer(1)
    assert told == ["second"]


def test_wrong_answers_of_hooks_are_refused() -> None:
    layer = nn.Identity()
    handle = layer.register_forward_pre_hook(lambda module, args, kwargs: args, with_kwargs=True)
    with pytest.raises(GradError, match="pair"):
        layer(1)
    handle.remove()
    layer.register_full_backward_hook(lambda module, grads, outs: (grads[0], grads[0]))
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(GradError, match="1 gradients"):
        layer(x).sum().backward()
    layer = nn.Linear(1, 1)
    layer.register_full_backward_hook(lambda module, grads, outs: outs)
    with pytest.raises(GradError, match="no input"):
        layer(minigrad.ones(1, 1)).sum().backward()


def test_named_outputs_keep_their_names_behind_a_backward_hook() -> None:
    class Pair(NamedTuple):
        double: Any
        label: str

    class Names(nn.Module):
        def forward(self, x: Any) -> Any:
            return Pair(x * 2, "label")

    layer = Names()
    layer.register_full_backward_hook(lambda module, grads, outs: told.append(outs[1]))
    told: list[Any] = []
    result = layer(minigrad.ones(1, requires_grad=True))
    result.double.backward()
    assert result.label == "label" and told == [None]


def test_backward_hook_of_an_odd_output_warns() -> None:
    class Odd(nn.Module):
        def forward(self, x: Any) -> Any:
            return {"x": x}

    layer = Odd()
    layer.register_full_backward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match="returned a dict"):
        layer(minigrad.ones(1, requires_grad=True))


def twice_through_a_hook(m: Any) -> tuple[float, float]:
    layer = m.nn.Identity()
    layer.register_full_backward_hook(lambda module, grads, outs: (grads[0] * grads[0],))
    x = m.tensor([3.0], requires_grad=True)
    (first,) = m.autograd.grad((layer(x) ** 2).sum(), x, create_graph=True)
    (second,) = m.autograd.grad(first.sum(), x)
    return first.item(), second.item()


def test_backward_hooks_pass_higher_derivatives_on() -> None:
    # With y = x behind the hook: (2 y)^2 = 36; its derivative 8 y = 24 passes the hook on its way to x: 24^2.
    assert twice_through_a_hook(minigrad) == (36.0, 576.0)


@pytest.mark.peer
def test_higher_derivatives_through_a_hook_are_pytorchs() -> None:
    import torch

    assert twice_through_a_hook(minigrad) == twice_through_a_hook(torch)


def test_in_place_change_behind_a_backward_hook_is_noticed() -> None:
    layer = nn.Sigmoid()
    layer.register_full_backward_hook(lambda *_: None)
    x = minigrad.ones(2, requires_grad=True)
    y = layer(x)
    y.mul_(2)
    with pytest.raises(GradError):
        y.sum().backward()


# ---------------------------------------------------------------------- state


def test_state_shares_memory_and_can_keep_variables() -> None:
    net = network(minigrad)
    state = net.state_dict()
    assert isinstance(state, OrderedDict) and not any(tensor.requires_grad for tensor in state.values())
    state["first.scale"].fill_(5)
    assert net.first.scale.tolist() == [5, 5, 5]
    assert net.state_dict(keep_vars=True)["first.scale"] is net.first.scale
    into: dict[str, Any] = {"other": 1}
    assert net.state_dict(destination=into, prefix="n.") is into and "n.first.scale" in into and "other" in into


def test_load_copies_and_keeps_the_parameters() -> None:
    source, target = network(minigrad), network(minigrad)
    with minigrad.no_grad():
        for parameter in source.parameters():
            parameter.fill_(2.5)
    kept = target.first.scale
    told = target.load_state_dict(source.state_dict())
    assert repr(told) == "<All keys matched successfully>" and told.missing_keys == []
    assert target.first.scale is kept and kept.tolist() == [2.5] * 3
    assert target.first.scale.array is not source.first.scale.array


def test_load_converts_dtype_and_assign_takes_it() -> None:
    layer = nn.Linear(2, 2)
    state = {name: tensor.double() for name, tensor in layer.state_dict().items()}
    layer.load_state_dict(state)
    assert layer.weight.dtype == minigrad.float32
    layer.requires_grad_(False)
    layer.load_state_dict(state, assign=True)
    assert layer.weight.dtype == minigrad.float64 and type(layer.weight) is nn.Parameter
    assert layer.weight.array is state["weight"].array and not layer.weight.requires_grad
    norm = nn.BatchNorm1d(2)
    norm.load_state_dict({**norm.state_dict(), "running_mean": (mean := minigrad.ones(2))}, assign=True)
    assert norm.running_mean is mean and "running_mean" in norm._buffers


def test_load_lists_every_fault_and_loads_nothing() -> None:
    net = network(minigrad)
    state = {name: tensor + 1 for name, tensor in net.state_dict().items()}
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for missing in ("first.scale", "head.out.bias", "count"):
        del state[missing]
    state["extra.weight"], state["more"] = minigrad.ones(2, 3), "text"
    state["head.out.weight"] = minigrad.ones(5, 3)
    state["head.norm.weight"] = [1.0]
    with pytest.raises(StateError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    for words in (
        "load_state_dict: Net",
        "3 missing: count (), first.scale (3,), head.out.bias (2,)",
        "2 unexpected: extra.weight (2, 3), more",
        "head.norm.weight is a list",
        "head.out.weight is (5, 3), the module has (2, 3)",
        "Nothing was loaded",
    ):
        assert words in message
    for name, tensor in net.state_dict().items():
        assert (tensor == before[name]).all()
    with pytest.raises(StateError, match="1 misshapen"):  # also where other keys may be left out
        net.load_state_dict({"head.out.weight": minigrad.ones(5, 3)}, strict=False)


def test_load_not_strict_takes_what_fits() -> None:
    layer = nn.Linear(1, 1)
    told = layer.load_state_dict({"weight": minigrad.tensor([[4.0]]), "other": minigrad.ones(1)}, strict=False)
    assert (told.missing_keys, told.unexpected_keys) == (["bias"], ["other"])
    assert repr(told) == "IncompatibleKeys(missing_keys=['bias'], unexpected_keys=['other'])"
    assert layer.weight.item() == 4


def test_old_files_load() -> None:
    norm = nn.BatchNorm2d(2)
    norm.num_batches_tracked.fill_(3)
    state = norm.state_dict()
    del state["num_batches_tracked"]
    norm.load_state_dict(state)
    assert norm.num_batches_tracked.item() == 3
    norm.load_state_dict({**state, "num_batches_tracked": minigrad.tensor([9])})  # files without 0 dimensions
    assert norm.num_batches_tracked.item() == 9


def test_extra_state_travels() -> None:
    class Counts(nn.Module):
        seen = 0

        def get_extra_state(self) -> Any:
            return {"seen": self.seen}

        def set_extra_state(self, state: Any) -> None:
            self.seen = state["seen"]

    source, target = nn.Sequential(Counts(), nn.Linear(1, 1)), nn.Sequential(Counts(), nn.Linear(1, 1))
    source[0].seen = 8
    state = source.state_dict()
    assert list(state) == ["0._extra_state", "1.weight", "1.bias"]
    target.load_state_dict(state)
    assert target[0].seen == 8
    del state["0._extra_state"]
    with pytest.raises(StateError, match=r"1 missing: 0\._extra_state"):
        target.load_state_dict(state)

    class Half(nn.Module):
        def get_extra_state(self) -> Any:
            return 1

    with pytest.raises(NotImplementedError, match="set_extra_state"):
        Half().set_extra_state(1)
    with pytest.raises(NotImplementedError, match="get_extra_state"):
        nn.Linear(1, 1).get_extra_state()


# ---------------------------------------------------------------------- dtype, device, copies


def test_to_converts_in_place() -> None:
    net = network(minigrad)
    net(minigrad.ones(4, 3)).sum().backward()
    kept = list(net.parameters())
    assert net.double() is net
    assert all(a is b for a, b in zip(net.parameters(), kept, strict=True))
    assert {p.dtype for p in kept} == {p.grad.dtype for p in kept} == {minigrad.float64}
    assert net.count.dtype == minigrad.int64 and net.first.mean.dtype == minigrad.float64
    assert net.again.mean is net.first.mean
    assert net.half().first.scale.dtype == minigrad.float16
    assert net.float().first.scale.dtype == minigrad.float32
    array = net.first.scale.array
    assert net.to(minigrad.get_default_device()).to(minigrad.float32).first.scale.array is array
    assert net.to(minigrad.ones(1, dtype=minigrad.float64)).first.scale.dtype == minigrad.float64
    assert net.to(device=minigrad.get_default_device(), dtype=minigrad.float32).first.scale.dtype == minigrad.float32


def test_to_spoils_graphs_that_need_the_old_numbers() -> None:
    layer = nn.Linear(2, 2)
    x = minigrad.ones(1, 2, requires_grad=True)
    y = layer(x).sum()
    layer.double()
    with pytest.raises(GradError, match="version"):
        y.backward()


def test_cuda_says_what_is_missing() -> None:
    with pytest.raises(minigrad.errors.DeviceError) as caught:
        nn.Linear(1, 1).cuda(3000)
    assert "cuda:3000" in str(caught.value)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"])
def test_copies_keep_what_is_shared_and_share_nothing_else(duplicate: Callable[[Any], Any]) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2))
    net[1].weight = net[0].weight
    net[0].register_forward_hook(print_nothing)
    twin = duplicate(net)
    assert twin[1].weight is twin[0].weight and twin[0].weight is not net[0].weight
    assert len(twin[0]._hooks.forward) == 1 and twin[0]._hooks is not net[0]._hooks
    x = minigrad.randn(3, 2)
    assert np.array_equal(twin(x).detach().numpy(), net(x).detach().numpy())
    with minigrad.no_grad():
        twin[0].weight.zero_()
    assert (net[0].weight != 0).any()


def print_nothing(module: Any, args: Any, output: Any) -> None:
    """A hook that pickles."""


def test_copies_cut_what_forward_left_behind() -> None:
    layer = nn.Linear(2, 2)
    layer.last = layer(minigrad.ones(1, 2))
    twin = copy.deepcopy(layer)
    assert twin.last.grad_fn is None and twin.last.tolist() == layer.last.tolist()
    assert layer.last.grad_fn is not None


# ---------------------------------------------------------------------- containers


def sequential_story(m: Any) -> list[Any]:
    nn = m.nn
    told: list[Any] = []
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    net.append(nn.Tanh()).extend([nn.Sigmoid(), nn.Identity()])
    net.insert(1, nn.Flatten())
    net.insert(-1, nn.Softmax(1))
    told += [repr(net), len(net), repr(net[1:3]), repr(net[-1]), [type(module).__name__ for module in net]]
    net[0] = nn.Linear(2, 4)
    del net[1]
    del net[-2:]
    told += [repr(net), repr(net.pop(1)), list(net.state_dict())]
    told += [repr(net + nn.Sequential(nn.ReLU())), repr(net * 2), repr(2 * net)]
    net += nn.Sequential(nn.GELU())
    net *= 2
    told += [repr(net), net[0] is net[3], [name for name, _ in net.named_modules()]]
    named = nn.Sequential(OrderedDict([("a", nn.ReLU()), ("b", nn.Tanh())]))
    told += [repr(named), repr(named[:1]), repr(named[1:]), named.a is named[0]]
    return told


def list_story(m: Any) -> list[Any]:
    nn = m.nn
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    told = [repr(layers), len(layers), repr(layers[1:]), repr(nn.ModuleList())]
    layers.append(nn.ReLU()).extend([nn.Sequential(nn.Tanh(), nn.Linear(1, 1)), nn.Sequential(nn.Tanh(), nn.Linear(1, 1))])
    layers.insert(1, nn.Sigmoid())
    told += [repr(layers), [type(layer).__name__ for layer in layers]]
    layers[0] = nn.Identity()
    del layers[2]
    del layers[-2:]
    layers += [nn.GELU()]
    told += [
        repr(layers.pop(-1)),
        repr(layers),
        repr(layers + nn.ModuleList([nn.ReLU()])),
        list(layers.state_dict()),
        layers[-1] is layers[len(layers) - 1],
    ]
    return told


def dict_story(m: Any) -> list[Any]:
    nn = m.nn
    heads = nn.ModuleDict({"left": nn.Linear(1, 2), "right": nn.ReLU()})
    told = [repr(heads), list(heads), "left" in heads, "up" in heads, len(heads), list(heads.keys())]
    heads["up"] = nn.Tanh()
    heads.update([("left", nn.Sigmoid()), ("down", nn.GELU())])
    told += [repr(heads), repr(heads.pop("right")), [name for name, _ in heads.items()], [repr(v) for v in heads.values()]]
    del heads["up"]
    heads.update(nn.ModuleDict({"other": nn.ReLU()}))
    told += [repr(heads)]
    heads.clear()
    return [*told, repr(heads)]


def parameter_list_story(m: Any) -> list[Any]:
    nn = m.nn
    values = nn.ParameterList([m.ones(2), nn.Parameter(m.zeros(3)), "text"])
    told = [len(values), [type(v).__name__ for v in values], values[-1], list(values.state_dict())]
    values.append(m.ones(1)).extend([m.ones(4)])
    values += [m.ones(5)]
    values[0] = m.ones(6)
    told += [[name for name, _ in values.named_parameters()], [tuple(v.shape) for v in values[3:]], values[0].requires_grad]
    return told


def parameter_dict_story(m: Any) -> list[Any]:
    nn = m.nn
    values = nn.ParameterDict({"a": m.ones(2), "b": "text"})
    values["c"] = m.ones(3)
    values.update([("d", m.ones(4))])
    told: list[Any] = [list(values), len(values), "a" in values, "z" in values, list(values.state_dict()), values["b"]]
    told += [tuple(values.pop("a").shape), values.popitem()[0], list(reversed(values)), values.get("z", 5)]
    values.setdefault("e", m.ones(1))
    told += [tuple(values.setdefault("e", m.ones(9)).shape), [name for name, _ in values.named_parameters()]]
    both = values | nn.ParameterDict({"x": m.ones(7)})
    both |= nn.ParameterDict({"y": m.ones(8)})
    told += [list(both.keys()), [key for key, _ in both.items()], len(list(both.values())), list(both.copy())]
    told += [list(values.fromkeys(["p", "q"], m.ones(1)))]
    del values["c"]
    values.clear()
    return [*told, len(values)]


STORIES = [sequential_story, list_story, dict_story, parameter_list_story, parameter_dict_story]


@pytest.mark.peer
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_containers_are_pytorchs(story: Callable[[Any], list[Any]]) -> None:
    import torch

    for ours, theirs in zip(story(minigrad), story(torch), strict=True):
        assert ours == theirs


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_container_stories_end_as_they_should(story: Callable[[Any], list[Any]]) -> None:
    ends = {
        "sequential_story": True,
        "list_story": True,
        "dict_story": "ModuleDict()",
        "parameter_list_story": True,
        "parameter_dict_story": 0,
    }
    assert story(minigrad)[-1] == ends[story.__name__]


def test_containers_compute_and_tell() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU()) * 2
    assert net(minigrad.ones(1, 2)).shape == (1, 2)
    assert net.pop(-1) is not None and len(net) == 3
    with pytest.raises(TypeError):
        _ = net + 3
    with pytest.raises(TypeError):
        _ = net * 1.5
    values = nn.ParameterList([minigrad.ones(2, 3), "text"])
    where = minigrad.ones(1).device
    place = "" if where == "cpu" else f" ({where})"
    assert repr(values) == (
        f"ParameterList(\n  (0): Parameter containing: [minigrad.float32 of size 2x3{place}]\n  (1): Object of type: str\n)"
    )
    assert values.pop() == "text" and len(values) == 1
    assert repr(nn.ParameterDict({"a": minigrad.ones(1)})).splitlines()[1].startswith("  (a): Parameter containing:")
