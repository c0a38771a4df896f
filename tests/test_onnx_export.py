"""Networks as ONNX files: sizes that may change, what is refused, and wrong mappings, which are found."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import DataError, ExportError
from minigrad.interop import onnx_table
from minigrad.interop.onnx_export import compare, export
from minigrad.interop.onnx_graph import Input
from minigrad.interop.tracing import Size, trace
from minigrad.models.cnn import build
from minigrad.ops import activation, batchnorm, convolution, parts, recurrent
from tests.onnx_rows import norm

IMAGES = Input("images", ("N", 3, 8, 8))


def exported(network: Any, *inputs: Input, outputs: Any = ("y",), **options: Any) -> Any:
    return export(network, inputs, outputs, **options)


# ---------------------------------------------------------------------- whole networks


@pytest.mark.parametrize(
    ("name", "side", "options"),
    [
        ("cnn", 8, {"width": 2}),
        ("cnn", 9, {"width": 2, "norm": False}),
        ("resnet20", 9, {"width": 2}),
        ("resnet18", 16, {"width": 2}),
        ("resnet18", 65, {"width": 2}),
        ("efficientnet-lite0", 33, {}),
    ],
)
def test_a_network_for_images(name: str, side: int, options: dict[str, Any]) -> None:
    minigrad.manual_seed(0)
    network = build(name, (3, side, side), 5, **options)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            norm(layer)
    network.train()
    made = exported(network, Input("images", ("N", 3, side, side)))
    found = compare(network, made)
    assert (made.sizes, made.fixed) == (("N",), {}) and found.largest > 0.01
    assert all(part.training for part in network.modules())


def test_weights_keep_their_names_and_are_there_once() -> None:
    network = build("resnet20", (3, 8, 8), 5, width=2)
    graph = onnx.load_model_from_string(exported(network, IMAGES, about={"who": "me"}).model)
    names = {each.name: each for each in graph.graph.initializer}
    state = {key: value for key, value in network.state_dict().items() if "num_batches" not in key}
    assert state.keys() <= names.keys() and all(name.startswith("constant") for name in names.keys() - state.keys())
    for key, value in state.items():
        assert np.array_equal(onnx.numpy_helper.to_array(names[key]), value.numpy())
    assert {each.key: each.value for each in graph.metadata_props} == {"who": "me"}
    assert (graph.opset_import[0].version, graph.ir_version) == (18, 8)
    (images,) = graph.graph.input
    assert [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim] == ["N", 3, 8, 8]


def test_a_function_without_weights_and_one_result_that_is_an_input() -> None:
    made = exported(lambda x: (x, x * 2, x), Input("x", ("N", 2)), outputs=["a", "b", "c"])
    assert compare(lambda x: (x, x * 2, x), made).difference == 0


def test_what_leads_nowhere_is_left_out() -> None:
    def network(x: Tensor) -> Tensor:
        x.sort()
        minigrad.nonzero(x)
        return x + 1

    graph = onnx.load_model_from_string(exported(network, Input("x", ("N", 2))).model).graph
    assert [node.op_type for node in graph.node] == ["Add", "Identity"]


# ---------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        (lambda x: x.reshape(-1), ["5*N"]),
        (lambda x: x.reshape(x.shape[0] * 5, 1), ["5*N", "1"]),
        (lambda x: minigrad.cat([x, x, x[:1]]), ["2*N + 1", "5"]),
        (lambda x: x @ x.T, ["N", "N"]),
        (lambda x: x.mean(0), ["5"]),
    ],
)
def test_sizes_follow_from_the_batch(network: Callable[..., Any], sizes: list[str]) -> None:
    program = trace(network, ["x"], lambda named, run: [np.full((named["N"], 5), run, np.float32)], ["N"])
    assert [str(size) for size in program.outputs[0].shape] == sizes
    assert compare(network, exported(network, Input("x", ("N", 5)))).difference < 1e-5


def test_two_sizes_and_their_product() -> None:
    def network(x: Tensor) -> Tensor:
        return x.reshape(x.shape[0] * x.shape[1], 3).softmax(0).reshape(x.shape[1], x.shape[0], 3)

    made = exported(network, Input("x", ("S", "B", 3)))
    assert made.sizes == ("S", "B") and compare(network, made).difference < 1e-6
    assert str(Size({("B", "S"): 1, ("B",): 2, (): 3})) == "B*S + 2*B + 3"


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (
            lambda x: x / x.shape[0] ** 0.5,
            r"Div: expected an argument that stands fast, .* inputs: 1\.414\d+, 1\.732\d+, 2\.645",
        ),
        (lambda x: x[: (x.shape[0] + 1) // 2], "Slice: expected an argument that stands fast, .* inputs: 1, 2, 4"),
        (lambda x: x * x.shape[0] ** 2, "Mul: expected an argument that stands fast, .* inputs: 4, 9, 49"),
        (
            lambda x: minigrad.stack([row * 2 for row in x.unbind(0)]),
            "expected the same ops whatever the inputs and their sizes, got Stack as op 3 of one run, Mul of another",
        ),
        (lambda x: x + minigrad.tensor(np.linspace(0, 1, x.shape[0], dtype=np.float32))[:, None], "no op made"),
    ],
)
def test_a_size_that_cannot_change_is_fixed_and_the_reason_told(network: Callable[..., Any], reason: str) -> None:
    made = exported(network, Input("x", ("N", 4)))
    ((size, why),) = made.fixed.values()
    assert (made.sizes, size, made.inputs[0].shape) == ((), 1, (1, 4)) and re.search(reason, why)
    assert compare(network, made).sizes == ({},)


def test_one_size_may_change_and_another_may_not() -> None:
    def network(x: Tensor) -> Tensor:
        return minigrad.cat([row.unsqueeze(0) * number for number, row in enumerate(x.unbind(0))])

    made = exported(network, Input("x", ("S", "B")))
    assert made.sizes == ("B",) and list(made.fixed) == ["S"] and made.inputs[0].shape == (1, "B")
    assert compare(network, made).sizes == ({"B": 1}, {"B": 4}, {"B": 6})


# ---------------------------------------------------------------------- what is refused


class _Own(minigrad.autograd.Function):
    """An op of a user."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x + 1


class _Learning(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", minigrad.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return x + self.seen


def _through_numpy(x: Tensor) -> Tensor:
    return x + minigrad.tensor(x.numpy().round())


def _number(x: Tensor) -> Tensor:
    return x * x.sum().item()


def _in_place(x: Tensor) -> Tensor:
    y = x * 2
    y += 1
    return y


def _written(x: Tensor) -> Tensor:
    y = minigrad.zeros(2, 4)
    y[0] = x[0]
    return y + 1


REFUSED: dict[str, tuple[Any, str]] = {
    "no mapping": (
        lambda x: x.cumprod(0),
        r"export: CumProd: expected ops that have their like in ONNX, .*, got one that has no mapping\. Write that part",
    ),
    "sorted through numpy": (lambda x: x.sort()[0], "export: Gather: expected inputs, weights, constants and what ops made"),
    "an op of a user": (lambda x: _Own.apply(x), "export: _Own: expected ops that have their like in ONNX"),
    "numpy": (_through_numpy, "export: Add: expected inputs, weights, constants and what ops made .* that no op made"),
    "a number": (_number, "export: Mul: expected an argument that stands fast"),
    "another way": (lambda x: x + 1 if x.sum() > 0 else x - 1, "expected the same ops whatever the inputs"),
    "in place": (_in_place, "expected ops that give new tensors, got one that changes what Mul gave in place"),
    "written into": (_written, "that no op made|in place"),
    "a buffer": (_Learning(), "expected ops that give new tensors, got one that changes the weight seen in place"),
    "random": (lambda x: F.dropout(x, 0.5), "export: Dropout: expected ops that have their like in ONNX"),
    "drawn": (lambda x: x + minigrad.rand(4), "export: Add: .* that no op made"),
    "batch norm in training": (
        lambda x: F.batch_norm(x, None, None, training=True),
        "expected batch norm by its running mean .* by those of the batch",
    ),
    "places of the largest": (
        lambda x: F.max_pool1d(x.unsqueeze(0), 2, return_indices=True)[1], "expected results that ONNX has too",
    ),
    "a mask in brackets": (lambda x: x[x > 0], "expected|got"),
    "no tensor": (lambda x: 3, "export: result 0: expected a Tensor, got int"),
    "decimals": (lambda x: x.round(decimals=2), "export: Round: expected decimals=0, got decimals=2"),
    "packed rows": (
        lambda x: nn.utils.rnn.pad_packed_sequence(
            nn.LSTM(1, 2)(nn.utils.rnn.pack_padded_sequence(x.T.unsqueeze(2), [4, 2]))[0]
        )[0],
        "expected",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str) -> None:
    network, words = REFUSED[what]
    minigrad.manual_seed(0)
    with pytest.raises(ExportError, match=words):
        exported(network, Input("x", (2, 4)))


def test_names_for_other_results() -> None:
    with pytest.raises(ExportError, match="expected 1 names, one for each result, got 2"):
        exported(lambda x: x + 1, Input("x", (2,)), outputs=["a", "b"])


def test_weights_on_a_device() -> None:
    with pytest.raises(ExportError, match=r"expected weights on the CPU, got one on emulated.*Move the network by \.cpu\(\)"):
        exported(nn.Linear(2, 2).to("emulated"), Input("x", (2, 2)))


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_a_missing_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Linear(2, 2)
    made = exported(network, Input("x", (2, 2)))
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=rf"the library {name}, which .*, got none\. Run pip install 'minigrad-engine\[onnx\]'"):
        exported(network, Input("x", (2, 2))) if name == "onnx" else compare(network, made)


# ---------------------------------------------------------------------- wrong mappings


def _wrong_order(graph: Any, x: Any, *given: Any) -> Any:
    *weights, _, plan = given[1:]
    from minigrad.interop.onnx_layers import _recurrent

    return _recurrent(graph, "GRU", x, given[1:2], weights[1:], plan, (0, 1, 2), linear_before_reset=1)


PLANTED: dict[str, tuple[Any, Callable[..., Any], Any, tuple[Any, ...]]] = {
    "another slope": (
        activation.LeakyRelu, lambda graph, x, slope: graph.node("LeakyRelu", x, alpha=slope + 0.001),
        nn.LeakyReLU(0.1), ("N", 3),
    ),
    "an eps of 0.001": (
        batchnorm.Affine,
        lambda graph, x, w, b, r, m, v, eps, relu: graph.node("BatchNormalization", x, w, b, m, v, epsilon=1e-3),
        nn.BatchNorm1d(3).eval(), ("N", 3),
    ),
    "no bias": (
        convolution.Conv2d, lambda graph, x, w, *_, **__: graph.node("Conv", x, w), nn.Conv2d(1, 1, 1), ("N", 1, 2, 2),
    ),
    "another axis": (
        parts.Stack,
        lambda graph, x, y, dim: graph.node("Concat", *[graph.node("Unsqueeze", z, graph.sizes([0])) for z in (x, y)], axis=0),
        lambda x: minigrad.stack([x, x], 1), ("N", 3),
    ),
    "gates in another order": (recurrent.GRU, _wrong_order, lambda x: nn_gru(x)[0], ("T", "N", 2)),
    "a batch that stays": (
        parts.Cat, lambda graph, *given: graph.node("Reshape", graph.node("Concat", *given[:-2], axis=1), graph.sizes([2, 6])),
        lambda x: minigrad.cat([x, x], 1), ("N", 3),
    ),
    "a shape": (
        activation.Relu, lambda graph, x: graph.node("Transpose", x, perm=[1, 0]), nn.ReLU(), ("N", 3),
    ),
}  # fmt: skip
nn_gru = nn.GRU(2, 3)


@pytest.mark.parametrize("what", PLANTED)
def test_a_wrong_mapping_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, wrong, network, shape = PLANTED[what]
    weights = dict(nn_gru.state_dict()) if "gates" in what else None
    given = Input("x", shape)
    assert compare(network, exported(network, given, weights=weights)).difference < 1e-5
    monkeypatch.setitem(onnx_table.OPS, kind, wrong)
    with pytest.raises(ExportError, match=r"export: (N=|T=|network: expected a model that ONNX's own)"):
        compare(network, exported(network, given, weights=weights))
