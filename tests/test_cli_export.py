"""``minigrad export``: each kind of model as files that do what the model does, what is told of them, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from minigrad.errors import ExportError
from minigrad.interop import onnx_table
from minigrad.models import exported
from minigrad.models.anchors import moved
from minigrad.models.beam import Limits
from minigrad.models.classifier import Classifier
from minigrad.models.finder import Card as FinderCard
from minigrad.models.finder import Finder
from minigrad.models.imaginer import Imaginer
from minigrad.models.scribe import Scribe
from minigrad.models.seq2seq import BOS, EOS, PAD, UNKNOWN
from minigrad.models.translator import Translator
from minigrad.models.writer import Writer
from minigrad.ops import activation, recurrent
from tests.shape_images import COLOUR, LIVELY, Commands, lively, made_run
from tests.small_imaginers import imaginer_run
from tests.small_translators import card as translator_card
from tests.small_translators import translator_run
from tests.text_models import SYMBOLS, card, text_run
from tests.upright_hand import hand_run


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


class Session:
    """A file in onnxruntime, on one thread, with what it knows of itself."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.names = [each.name for each in self.session.get_outputs()]
        self.about = self.session.get_modelmeta().custom_metadata_map

    def __call__(self, **given: Any) -> dict[str, np.ndarray]:
        return dict(zip(self.names, self.session.run(None, given), strict=True))


def state(session: Session, batch: int) -> dict[str, np.ndarray]:
    """Zeros for each input that has a float dtype."""
    given = {each.name: each for each in session.session.get_inputs() if each.type == "tensor(float)"}
    return {
        name: np.zeros([size if isinstance(size, int) else batch for size in each.shape], np.float32)
        for name, each in given.items()
    }


# ---------------------------------------------------------------------- models


@pytest.mark.parametrize("mirror", [False, True])
def test_a_classifier_and_what_is_told(minigrad: Commands, tmp_path: Path, mirror: bool) -> None:
    run = made_run(tmp_path / "run", LIVELY._replace(mirror=mirror), lively())
    code, out, err = minigrad("export", run, "--onnx", "colours.onnx")
    assert (code, err) == (0, "")
    assert out.startswith("colours.onnx: 0.0 MB, opset 18\n  takes images: uint8 (N, 3, 8, 8)\n  gives logits\n")
    assert " in onnxruntime the same but for " in out and out.endswith("(N = 1; N = 4; N = 6)\n")
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8)).astype(np.uint8)
    session = Session("colours.onnx")
    logits = session(images=images)["logits"].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.allclose(shares, Classifier.load(str(run))(images), atol=1e-5)
    assert json.loads(session.about["minigrad.classes"]) == ["red", "green", "blue"]
    names = {each.name for each in onnx.load("colours.onnx").graph.initializer}
    assert {"features.0.weight", "classifier.5.bias"} <= names


def test_json(minigrad: Commands, tmp_path: Path) -> None:
    run = text_run(tmp_path / "run")
    (told,) = json.loads(minigrad("export", run, "--onnx", "text.onnx", "--json").out)["files"]
    assert told["bytes"] == Path("text.onnx").stat().st_size and told["file"] == "text.onnx" and told["opset"] == 18
    assert told["inputs"]["token"] == {"dtype": "int64", "shape": ["B"]} and told["outputs"] == ["logits", "h_after", "c_after"]
    assert (told["free"], told["fixed"]) == (["B"], {})
    assert told["checked"]["difference"] < 1e-5 and told["checked"]["sizes"] == [{"B": 1}, {"B": 4}, {"B": 6}]


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("up", ["transposed", "resize"])
def test_a_generator(minigrad: Commands, tmp_path: Path, up: str, classes: bool) -> None:
    run = imaginer_run(tmp_path / "run", classes=classes, up=up)
    assert minigrad("export", run, "--onnx", "made.onnx").code == 0
    session, ours = Session("made.onnx"), Imaginer.load(str(run))
    noise = ours.noise(3, seed=1)
    labels = ours.labels(3) if classes else None
    found = session(noise=noise, **({} if labels is None else {"labels": labels}))["images"]
    assert np.abs(np.clip((found + 1) * 127.5, 0, 255) - ours.make(noise, labels)).max() <= 0.51
    assert json.loads(session.about["minigrad.classes"]) == list(ours.card.classes)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("options", [{}, {"layers": 1, "embedding": 0}, {"layer_norm": True, "embedding": 6, "tied": True}])
def test_a_text_step_by_step(minigrad: Commands, tmp_path: Path, cell: str, options: dict[str, Any]) -> None:
    run = text_run(tmp_path / "run", card(SYMBOLS, cell=cell, **options))
    assert minigrad("export", run, "--onnx", "text.onnx").code == 0
    session, writer = Session("text.onnx"), Writer.load(str(run))
    carried, symbols = state(session, 1), json.loads(session.about["minigrad.vocabulary"])
    assert symbols == writer.vocabulary.to_config()
    for id in writer.vocabulary.encode("Abba (c)"):
        found = session(token=np.array([id]), **carried)
        carried = {name: found[f"{name}_after"] for name in carried}
    assert np.allclose(found["logits"], writer.read("Abba (c)").logits, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "general", "feeding": True},
        {"attention": "bahdanau", "feeding": True, "cell": "gru", "layers": 2, "residual": True},
        {"attention": "normed", "feeding": False, "layers": 2, "tied": "target"},
        {"attention": "dot", "feeding": True, "tied": "target"},
        {"attention": "scaled", "feeding": False, "cell": "gru"},
        {"attention": "none", "feeding": False, "layers": 2},
    ],
    ids=lambda options: options["attention"],
)
def test_a_translator_as_two_files(minigrad: Commands, tmp_path: Path, options: dict[str, Any]) -> None:
    run = translator_run(tmp_path / "run", translator_card(**options), end=-9.0)
    code, out, _ = minigrad("export", run, "--onnx", "words.onnx")
    assert code == 0 and "words-encoder.onnx: " in out and "words-decoder.onnx: " in out
    encoder, decoder = Session("words-encoder.onnx"), Session("words-decoder.onnx")
    ours = Translator.load(str(run))
    text = "Mary sees the small dog."
    (theirs,) = ours.greedy([text], limits=Limits(most=8), copy=False)
    source = np.array([[*ours.source.numbers(ours.source.split(text)), EOS]]).T
    carried, word, written = encoder(source=source), BOS, []
    takes = {each.name for each in decoder.session.get_inputs()} - {"word"}
    while len(written) < len(theirs.tokens):
        found = decoder(word=np.array([word]), **{name: carried[name] for name in takes})
        carried |= {name.removesuffix("_after"): value for name, value in found.items() if name.endswith("_after")}
        word = int(np.delete(found["logits"][0], [PAD, BOS, EOS]).argmax()) + 1  # what is left is UNKNOWN, and 4 and on
        word += 2 * (word > UNKNOWN)
        written.append(ours.target.symbols[word])
    assert tuple(written) == theirs.tokens and len(written) > 2
    about = json.loads(decoder.about["minigrad.special"]), json.loads(encoder.about["minigrad.languages"])
    assert about == ({"pad": 0, "unknown": 1, "begin": 2, "end": 3}, ["en", "es"])
    if theirs.alignment is not None:
        assert np.allclose(found["weights"][0], theirs.alignment[-1], atol=1e-5)


def test_handwriting_step_by_step(minigrad: Commands, tmp_path: Path) -> None:
    from minigrad import Tensor, no_grad

    run = hand_run(tmp_path / "run")
    assert minigrad("export", run, "--onnx", "hand.onnx").code == 0
    session, scribe = Session("hand.onnx"), Scribe.load(str(run))
    text = np.array([[1, 5, 3], [2, 2, 7]])
    points = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    carried = {name: value for name, value in state(session, 2).items() if name != "point"}
    for point in points:
        found = session(point=point, text=text, **carried)
        carried = {name: found[f"{name}_after"] for name in carried}
    network: Any = scribe.network.eval()
    with no_grad():
        outputs, last, weights = network(Tensor._wrap(points), network.letters(Tensor._wrap(text)))
    assert np.allclose(found["outputs"], outputs[-1].numpy(), atol=1e-5)
    assert np.allclose(found["weights"], weights[-1].numpy(), atol=1e-5)
    assert np.allclose(carried["kappa"], last.kappa.numpy(), atol=1e-5)
    assert json.loads(session.about["minigrad.scale"]) == scribe.card.scale


@pytest.mark.parametrize(("stages", "masks"), [(2, True), (2, False), (1, False)])
def test_a_detector_up_to_where_overlapping_boxes_go(minigrad: Commands, tmp_path: Path, stages: int, masks: bool) -> None:
    from minigrad import Tensor, manual_seed, no_grad, save
    from minigrad.train import Run

    options: dict[str, Any] = {"width": 4, "channels": 8, "hidden": 16, "blocks": 1, "sizes": (12.0, 24.0), "strides": (4, 8)}
    options |= {"masks": masks, "stages": stages, "pooling": "aligned", "network": "residual"}
    made = FinderCard(("wren", "tit"), 30, 0, 3, (0.4, 0.45, 0.5), (0.2, 0.25, 0.3), options)
    manual_seed(0)
    with Run(tmp_path / "run") as run:
        run.begin({"task": "detect", "data": "nowhere", "data_digest": "", "settings": {}, "model": made.to_config()})
        save(dict(made.build().state_dict()), run.model)
    code = minigrad("export", tmp_path / "run", "--onnx", "birds.onnx").code
    files = {path.name for path in Path().glob("*.onnx")}
    parts = ["anchors", *["boxes"] * (stages == 2), *["masks"] * masks]
    assert code == 0 and files == {f"birds-{part}.onnx" for part in parts}
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32)).astype(np.uint8)
    first, ours = Session("birds-anchors.onnx"), Finder.load(str(tmp_path / "run"))
    found, net = first(images=images), ours.network.eval()
    with no_grad():
        maps = net.pyramid(ours.tensor([*images]))
        scores, steps = net.proposer(maps)
    anchors = np.concatenate(net.anchors((32, 32)))
    assert np.allclose(found["chances"], scores.sigmoid().numpy(), atol=1e-5)
    for boxes, away in zip(found["boxes"], steps.numpy()):
        assert np.allclose(boxes, np.clip(moved(anchors, away, (1, 1, 1, 1)), 0, 32), atol=1e-3)
    assert json.loads(first.about["minigrad.classes"]) == ["wren", "tit"]
    assert json.loads(first.about["minigrad.mean"]) == [0.4, 0.45, 0.5]
    if stages == 2:
        assert np.allclose(found["map_8"], maps[1].numpy(), atol=1e-4)
        regions = np.random.default_rng(1).standard_normal((3, 8, 7, 7)).astype(np.float32)
        head: Any = net.box_head
        with no_grad():
            logits, _ = head(Tensor._wrap(regions))
        assert np.allclose(Session("birds-boxes.onnx")(regions=regions)["chances"], logits.softmax(1).numpy(), atol=1e-5)


# ---------------------------------------------------------------------- what is refused


def test_a_file_that_gives_other_numbers_is_not_written(
    minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made_run(tmp_path / "run", COLOUR)
    monkeypatch.setitem(onnx_table.OPS, activation.Relu, lambda graph, x: graph.node("LeakyRelu", x, alpha=0.01))
    told = minigrad.refused("export", run, "--onnx", "colours.onnx")
    assert "export: N=1: expected logits as the network gives it, within 0.0001 " in told and "got a difference of " in told
    assert told.endswith("nothing was written.") and not Path("colours.onnx").exists()


def test_of_two_files_none_is_written_where_one_is_wrong(
    minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = translator_run(tmp_path / "run", translator_card(attention="general", feeding=True))
    made = exported.Piece.compare

    def compare(piece: exported.Piece, model: Any) -> Any:
        if piece.part == "decoder":
            raise ExportError("export", "S=1", "the same", "another")
        return made(piece, model)

    monkeypatch.setattr(exported.Piece, "compare", compare)
    assert "export: S=1: expected the same, got another" in minigrad.refused("export", run, "--onnx", "words.onnx")
    assert not list(Path().glob("*.onnx"))


def test_an_op_without_a_mapping_is_named(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = text_run(tmp_path / "run")
    monkeypatch.delitem(onnx_table.OPS, recurrent.LSTM)
    assert "export: LSTM: expected ops that have their like in ONNX" in minigrad.refused("export", run, "--onnx", "a.onnx")


def test_without_onnx(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = text_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "onnx", None)
    told = minigrad.refused("export", run, "--onnx", "a.onnx")
    assert (
        told
        == "export: onnx: expected the library onnx, which writes the file, got none. Run pip install 'minigrad-engine[onnx]'."
    )


def test_without_onnxruntime_it_says_that_nothing_was_checked(
    minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = text_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    code, out, err = minigrad("export", run, "--onnx", "a.onnx")
    assert code == 0 and "in onnxruntime" not in out and Path("a.onnx").exists()
    assert err == "warning: not checked: onnxruntime is not installed. Run pip install 'minigrad-engine[onnx]'\n"
    assert json.loads(minigrad("export", run, "--onnx", "a.onnx", "--json").out)["files"][0]["checked"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--onnx", "a.txt"], "export: --onnx: expected a file name that ends in .onnx, got 'a.txt'"),
        (["--onnx", "nowhere/a.onnx"], "export: nowhere/a.onnx: expected a folder that exists"),
        ([], "Missing option '--onnx'"),
    ],
)
def test_what_is_refused(minigrad: Commands, tmp_path: Path, words: list[str], told: str) -> None:
    run = text_run(tmp_path / "run")
    assert told in minigrad.refused("export", run, *words)


def test_models_that_are_none(minigrad: Commands, tmp_path: Path) -> None:
    from minigrad.train import Run

    assert "expected a run folder, or the name of a shipped model" in minigrad.refused("export", "none", "--onnx", "a.onnx")
    told = minigrad.refused("export", "mtcnn", "--onnx", "a.onnx")
    assert "export: mtcnn: expected a detector that minigrad train detect made, got mtcnn, a cascade" in told
    with Run(tmp_path / "line") as run:
        run.begin({"task": "line", "settings": {}})
    told = minigrad.refused("export", tmp_path / "line", "--onnx", "a.onnx")
    assert (
        "expected a model of one of the tasks classify, gan, text, translate, handwriting, detect, got one of the task line"
        in told
    )
