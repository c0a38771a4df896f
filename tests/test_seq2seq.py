"""The network of ``models/seq2seq.py``: attention by hand, word by word and at once, padding, refusals, PyTorch's beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.benchmarks.source import model_source, run_source
from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, RunError, ShapeError
from minigrad.models.attention import SCORES, Attention
from minigrad.models.seq2seq import ATTENTION, BOS, EOS, PAD, Seq2Seq, own_share, parameters
from minigrad.models.translator_card import options_of
from tests import devices
from tests.harness import check_gradients, difference

SOURCE, TARGET, B = 9, 8, 3
LENGTHS, LIMITS = np.array([2, 5, 4]), np.array([4, 3, 6])  # words of each source, and of each target with both ends
COMMON: dict[str, Any] = {"hidden": 6, "layers": 1, "embedding": 4, "tied": "none"}
VARIANTS: dict[str, dict[str, Any]] = {
    **{score: {"attention": score} for score in ATTENTION},
    **{f"{score}, fed": {"attention": score, "feeding": True} for score in SCORES},
    "deep": {"layers": 3, "residual": True},
    "deep, fed": {"layers": 3, "residual": True, "feeding": True},
    "tied": {"tied": "target"},
    "tied, fed": {"tied": "target", "feeding": True, "attention": "normed", "layers": 2},
}
EVERY = [(cell, variant) for cell in ("lstm", "gru") for variant in VARIANTS]
FEW = ["none", "normed", "bahdanau, fed", "deep", "deep, fed", "tied, fed"]


def options(cell: str, variant: str) -> dict[str, Any]:
    return {**COMMON, "attention": "general", "feeding": False, **VARIANTS[variant], "cell": cell}


def make(cell: str = "lstm", variant: str = "general", words: tuple[int, int] = (SOURCE, TARGET), **others: Any) -> Seq2Seq:
    minigrad.manual_seed(0)
    return Seq2Seq(*words, **{**options(cell, variant), **others}).double()


def drawn(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sources (S, B) and targets (T, B)."""
    rng = np.random.default_rng(number)
    source, target = rng.integers(4, SOURCE, (LENGTHS.max(), B)), rng.integers(4, TARGET, (LIMITS.max(), B))
    target[0] = BOS
    target[LIMITS - 1, range(B)] = EOS
    source[np.arange(len(source))[:, None] >= LENGTHS] = PAD
    target[np.arange(len(target))[:, None] >= LIMITS] = PAD
    return source, target


def batch(m: Any = minigrad, number: int = 0) -> list[Any]:
    """Source, lengths, target."""
    source, target = drawn(number)
    return [m.tensor(source), m.tensor(LENGTHS, device="cpu"), m.tensor(target)]


def same(ours: Any, theirs: Any) -> None:
    assert difference(ours.detach().numpy(), theirs.detach().numpy()) <= 1e-12


# ---------------------------------------------------------------------- attention


def by_hand(score: str, p: dict[str, np.ndarray], q: np.ndarray, m: np.ndarray) -> float:
    """How well one word answers one query, as the papers write it."""
    if score == "dot":
        return float(q @ m)
    if score in ("general", "scaled"):
        return float(q @ p["key.weight"] @ m) * float(p.get("scale", np.ones(1))[0])
    v, inner = p["vector"], p["query.weight"] @ q + p["key.weight"] @ m
    if score == "normed":
        v, inner = p["scale"][0] * v / np.sqrt((v * v).sum()), inner + p["bias"]
    return float(v @ np.tanh(inner))


@pytest.mark.parametrize("score", SCORES)
def test_attention_is_the_papers(score: str) -> None:
    rng = np.random.default_rng(0)
    attention = Attention(score, 5, 5).double()
    for parameter in attention.parameters():
        devices.put(parameter, rng.standard_normal(parameter.shape))
    query, memory, lengths = rng.standard_normal((2, 3, 5)), rng.standard_normal((2, 4, 5)), [4, 2]
    words, beyond = minigrad.tensor(memory), minigrad.tensor(np.arange(4) >= np.array(lengths)[:, None]).unsqueeze(1)
    blend, weights = attention(minigrad.tensor(query), attention.keys(words), words, beyond)
    own = {name: parameter.detach().numpy() for name, parameter in attention.named_parameters()}
    for row in range(2):
        for asked in range(3):
            scores = np.array([by_hand(score, own, query[row, asked], memory[row, s]) for s in range(lengths[row])])
            shares = np.exp(scores) / np.exp(scores).sum()
            np.testing.assert_allclose(weights.detach().numpy()[row, asked, : lengths[row]], shares, rtol=1e-10)
            np.testing.assert_allclose(blend.detach().numpy()[row, asked], shares @ memory[row, : lengths[row]], rtol=1e-10)
    assert (weights.detach().numpy()[1, :, 2:] == 0).all()


@pytest.mark.parametrize("score", ["bahdanau", "normed"])
def test_additive_scores_of_many_are_made_part_by_part(score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 queries of 60 words and 50 numbers would be 2.4 MB in float64, of which several are kept for the way back."""
    attention, rng = Attention(score, 50, 50).double(), np.random.default_rng(0)
    query, memory = (minigrad.tensor(rng.standard_normal((1, n, 50)), requires_grad=True) for n in (100, 60))
    own = [query, memory, *attention.parameters()]

    def run() -> tuple[Any, ...]:
        blend, weights = attention(query, attention.keys(memory), memory)
        return blend, *minigrad.autograd.grad((blend * weights.sum(2, keepdim=True).cos()).tanh().sum(), own)

    whole = run()
    monkeypatch.setattr("minigrad.models.attention.MOST", 20_000)
    for one, other in zip(run(), whole, strict=True):
        assert difference(one.detach().numpy(), other.detach().numpy()) <= 1e-12
    with devices.at_most(2_400_000):
        run()


def test_attention_refuses_what_it_is_not() -> None:
    with pytest.raises(ArgumentError, match=r"Attention: score: expected one of 'dot', .*, got 'cosine'"):
        Attention("cosine", 4, 4)
    with pytest.raises(ArgumentError, match="Attention: memory: expected one of 4, got 6"):
        Attention("dot", 4, 6)


# ---------------------------------------------------------------------- the network


@pytest.mark.parametrize(("cell", "variant"), EVERY)
def test_number_of_parameters_is_known_before(cell: str, variant: str) -> None:
    own = options(cell, variant)
    assert parameters(SOURCE, TARGET, **own) == sum(p.numel() for p in Seq2Seq(SOURCE, TARGET, **own).parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_word_by_word_is_the_sentence_at_once(variant: str) -> None:
    net = make(variant=variant)
    source, lengths, target = batch()
    encoded = net.encode(source, lengths)
    whole, last, weights = net.decode(target, encoded.state, encoded)
    same(net(source, lengths, target), net.head(whole))
    state, found, looks = encoded.state, [], []
    for row in target:
        features, state, look = net.decode(row.unsqueeze(0), state, encoded)
        found.append(features)
        looks.append(look)
    same(minigrad.cat(found), whole)
    for layer, other in zip(state.layers, last.layers, strict=True):
        for one, two in zip(layer, other, strict=True):
            same(one, two)
    if VARIANTS[variant].get("attention") == "none":
        assert weights is None and looks == [None] * len(target)
        return
    same(minigrad.cat(looks), weights)
    assert weights.shape == (len(target), B, LENGTHS.max())
    np.testing.assert_allclose(weights.sum(2).detach().numpy(), 1.0, rtol=1e-12)
    assert (weights.detach().numpy()[:, np.arange(5) >= LENGTHS[:, None]] == 0).all()


@pytest.mark.parametrize("variant", FEW)
def test_lanes_of_a_sentence_are_sentences(variant: str) -> None:
    """Two beginnings for each of three sources, beside six sources with one each."""
    net = make(variant=variant)
    source, lengths, _ = batch()
    words = minigrad.tensor(np.random.default_rng(5).integers(4, TARGET, (3, 2 * B)))
    twice = minigrad.tensor([0, 0, 1, 1, 2, 2])
    one, six = net.encode(source, lengths), net.encode(source[:, twice], lengths[twice.cpu()])
    ours = net.decode(words, one.state.select(twice), one)
    theirs = net.decode(words, six.state, six)
    same(ours[0], theirs[0])
    if ours[2] is not None:
        same(ours[2], theirs[2])
    chosen = minigrad.tensor([2, 0])
    fewer = net.decode(words[:, [4, 0]], one.select(chosen).state, one.select(chosen))
    same(fewer[0], ours[0][:, [4, 0]])


@pytest.mark.parametrize("variant", FEW)
def test_padding_changes_nothing(variant: str) -> None:
    """More of it behind all sentences, and sentences alone with none; the gradient is the same too."""
    net = make(variant=variant)
    source, lengths, target = batch()
    loss = net.loss(source, lengths, target, smoothing=0.1, reduction="sum")
    wide = [minigrad.cat((words, minigrad.zeros(3, B, dtype=minigrad.int64))) for words in (source, target)]
    same(net.loss(wide[0], lengths, wide[1], smoothing=0.1, reduction="sum"), loss)
    alone = [
        net.loss(source[:size, at : at + 1], lengths[at : at + 1], target[:limit, at : at + 1], smoothing=0.1, reduction="sum")
        for at, (size, limit) in enumerate(zip(LENGTHS.tolist(), LIMITS.tolist(), strict=True))
    ]
    same(sum(alone), loss)
    own = list(net.parameters())
    for one, other in zip(minigrad.autograd.grad(loss, own), minigrad.autograd.grad(sum(alone), own), strict=True):
        assert difference(one.numpy(), other.numpy()) <= 1e-9


@pytest.mark.parametrize(("cell", "variant"), [(cell, variant) for cell in ("lstm", "gru") for variant in FEW])
def test_gradient_is_the_numeric_one(cell: str, variant: str) -> None:
    """Along a random direction in the space of all parameters."""
    net, given = make(cell, variant), batch()
    net.loss(*given, smoothing=0.1).backward()
    own = list(net.parameters())
    start = [p.detach().numpy().copy() for p in own]
    rng = np.random.default_rng(1)
    direction = [rng.standard_normal(p.shape) for p in own]
    values = []
    for sign in (1, -1):
        for parameter, array, way in zip(own, start, direction, strict=True):
            devices.put(parameter, array + sign * 1e-6 * way)
        with minigrad.no_grad():
            values.append(net.loss(*given, smoothing=0.1).item())
    along = sum(float((p.grad.numpy() * way).sum()) for p, way in zip(own, direction, strict=True))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(along, rel=1e-6)


def test_the_loss_is_that_of_the_logits() -> None:
    net = make()
    source, lengths, target = batch()
    logits, wanted = net(source, lengths, target[:-1]).flatten(0, 1), target[1:].flatten()
    for words in ({}, {"reduction": "sum"}, {"reduction": "none"}):
        theirs = minigrad.nn.functional.cross_entropy(logits, wanted, ignore_index=PAD, label_smoothing=0.2, **words)
        same(net.loss(source, lengths, target, smoothing=0.2, **words), theirs)


def test_the_loss_of_a_network_that_knows_nothing_is_that_of_chance() -> None:
    for tied in ("none", "target", "all"):
        net = make(words=(64, 64), hidden=32, embedding=32, tied=tied)
        assert net.loss(*batch()).item() == pytest.approx(np.log(64), abs=0.3)


def test_tied_tables_are_one() -> None:
    net = make(words=(TARGET, TARGET), tied="all")
    assert net.head.weight is net.write_words.weight is net.read_words.weight
    copy = Seq2Seq(TARGET, TARGET, **{**options("lstm", "general"), "tied": "all"}).double()
    copy.load_state_dict(net.state_dict())
    assert copy.head.weight is copy.read_words.weight
    given = [words % TARGET for words in batch()]
    assert copy.loss(*given).item() == net.loss(*given).item()
    assert make(variant="tied").read_words.weight is not make(variant="tied").head.weight


def test_forget_gates_begin_open() -> None:
    net = make(variant="deep, fed")
    for layer in net.encoder:
        for way in ("", "_reverse"):
            assert (getattr(layer, f"bias_hh_l0{way}") + getattr(layer, f"bias_ih_l0{way}"))[3:6].tolist() == [1.0] * 3
    for layer in net.decoder:
        assert (layer.bias_hh + layer.bias_ih)[6:12].tolist() == [1.0] * 6


@pytest.mark.parametrize("variant", ["general", "deep", "deep, fed"])
def test_dropout_is_for_training(variant: str) -> None:
    """With everything zeroed on the way up, nothing but the head's bias is left."""
    net, dry = make(variant=variant), make(variant=variant, dropout=1.0)
    dry.load_state_dict(net.state_dict())
    given = batch()
    assert (dry.train()(*given) - dry.head.bias).abs().max().item() == 0
    assert dry.eval()(*given).tolist() == net(*given).tolist()


def test_a_residual_layer_adds_its_input() -> None:
    """Layers that give nothing let what is below them through, but for the place that their gates leave."""
    net = make("gru", "deep")
    with minigrad.no_grad():
        for layer in [*list(net.encoder)[1:], *list(net.decoder)[1:]]:
            for parameter in layer.parameters():
                parameter.zero_()
        for bridge in list(net.bridge)[1:]:
            bridge.weight.zero_()
            bridge.bias.zero_()
    flat = make("gru", "general")
    flat.load_state_dict({name: tensor for name, tensor in net.state_dict().items() if name in flat.state_dict()})
    given = batch()
    same(net(*given), flat(*given))


# ---------------------------------------------------------------------- its own words


@pytest.mark.parametrize("variant", ["general", "general, fed", "none"])
def test_words_of_its_own_are_what_it_would_write(variant: str) -> None:
    """With a chance of 1 and a network that is sure, it reads what it wrote, whatever is right; pads and beginnings stay."""
    net = make(variant=variant)
    with minigrad.no_grad():
        net.head.weight *= 1e4
    source, lengths, target = batch()
    encoded, words = net.encode(source, lengths), target[:-1]
    assert net.own_words(encoded, words, 0.0).tolist() == words.tolist()
    mixed = net.own_words(encoded, words, 1.0)
    logits = net(source, lengths, mixed)
    there = (words[1:] != PAD).numpy()
    assert mixed[0].tolist() == [BOS] * B
    np.testing.assert_array_equal(mixed[1:].numpy()[there], logits[:-1].argmax(2).numpy()[there])
    assert (mixed[1:].numpy()[~there] == PAD).all()
    assert not mixed.requires_grad


def test_some_words_are_its_own() -> None:
    net = make()
    source = minigrad.full((2, 400), 5)
    target = minigrad.full((3, 400), 5)
    with minigrad.no_grad():
        net.head.weight.zero_()
        net.head.bias.zero_()
        net.head.bias[7] = 100
    mixed = net.own_words(net.encode(source, minigrad.full((400,), 2, device="cpu")), target, 0.25).numpy()
    assert (mixed[0] == 5).all() and set(np.unique(mixed)) == {5, 7}
    assert 0.15 < (mixed[1:] == 7).mean() < 0.35


def test_the_loss_with_words_of_its_own() -> None:
    net, given = make(variant="general, fed"), batch()
    minigrad.manual_seed(3)
    loss = net.loss(*given, own=0.5)
    loss.backward()
    assert all(p.grad is not None and np.isfinite(p.grad.numpy()).all() for p in net.parameters())
    minigrad.manual_seed(3)
    encoded = net.encode(*given[:2])
    words = net.own_words(encoded, given[2][:-1], 0.5)
    assert words.tolist() != given[2][:-1].tolist()
    logits = net(*given[:2], words).flatten(0, 1)
    same(loss, minigrad.nn.functional.cross_entropy(logits, given[2][1:].flatten(), ignore_index=PAD))


def test_the_share_grows_by_its_schedule() -> None:
    for schedule in ("linear", "exponential", "sigmoid"):
        shares = [own_share(step, pace=50, most=0.4, schedule=schedule) for step in range(0, 2000, 50)]
        assert shares == sorted(shares) and 0 <= shares[0] < 0.01 and shares[-1] == pytest.approx(0.4, abs=1e-6)
    k = 20.0
    assert own_share(33, pace=k) == pytest.approx(1 - k / (k + np.exp(33 / k)), rel=1e-12)
    assert own_share(20, pace=20, schedule="exponential") == pytest.approx(1 - np.exp(-1), rel=1e-12)
    assert own_share(10**9, pace=1e-3) == 1


# ---------------------------------------------------------------------- refusals

WRONG: list[tuple[dict[str, Any], type[MinigradError], str]] = [
    ({"cell": "rnn"}, ArgumentError, "Seq2Seq: cell: expected one of 'lstm', 'gru', got 'rnn'."),
    ({"hidden": 7}, ArgumentError, "Seq2Seq: hidden: expected an even number, half for each direction, got 7."),
    ({"hidden": 0}, ArgumentError, "Seq2Seq: hidden: expected at least 1, got 0."),
    ({"layers": 1.5}, DTypeError, "Seq2Seq: layers"),
    ({"embedding": 0}, ArgumentError, "Seq2Seq: embedding: expected at least 1, got 0."),
    ({"attention": "additive"}, ArgumentError, "Seq2Seq: attention: expected one of 'none', 'dot', 'general',"),
    ({"dropout": 2}, ArgumentError, "Seq2Seq: dropout: expected a number from 0 to 1, got 2."),
    ({"tied": "both"}, ArgumentError, "Seq2Seq: tied: expected one of 'none', 'target', 'all', got 'both'."),
    (
        {"tied": "all"}, ArgumentError,
        "Seq2Seq: source_words: expected target_words=8, as one table for both languages asks, got 9. Make one vocabulary",
    ),
    (
        {"feeding": True, "attention": "none"}, ArgumentError,
        "Seq2Seq: feeding: expected False without attention, got True. Use feeding=False, or an attention.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("words", "kind", "text"), WRONG, ids=[row[2][9:30] for row in WRONG])
def test_refusals_say_what_to_do(words: dict[str, Any], kind: type[MinigradError], text: str) -> None:
    with pytest.raises(kind) as caught:
        Seq2Seq(SOURCE, TARGET, **words)
    assert str(caught.value).startswith(text)


def test_a_vocabulary_has_the_four_words_that_are_none() -> None:
    with pytest.raises(ArgumentError, match="Seq2Seq: target_words: expected at least 4, got 1"):
        Seq2Seq(9, 1)


def test_words_that_do_not_fit() -> None:
    net = make()
    source, lengths, target = batch()
    with pytest.raises(ShapeError, match=r"source: expected shape \(S, B\), S at least 1, got shape \(5,\)"):
        net(source[:, 0], lengths, target)
    with pytest.raises(ShapeError, match=r"source: expected .* got shape \(0, 3\)"):
        net(source[:0], lengths, target)
    with pytest.raises(ShapeError, match=r"lengths: expected shape \(3,\), one for each .*, got shape \(2,\)"):
        net(source, lengths[:2], target)
    for wrong, text in ((lengths - 2, "0 to 3"), (lengths + 1, "3 to 6")):
        with pytest.raises(ArgumentError, match=f"lengths: expected from 1 to 5 words, as source has, got {text}"):
            net(source, wrong, target)
    with pytest.raises(ShapeError, match=r"target: expected shape \(T, 3\), T at least 1, .*got shape \(6, 2\)"):
        net(source, lengths, target[:, :2])
    with pytest.raises(ShapeError, match=r"target: expected shape \(T, 3\), T at least 2, .*got shape \(1, 3\)"):
        net.loss(source, lengths, target[:1])
    with pytest.raises(IndexingError, match="0 to 8"):
        net(source + 9, lengths, target).sum().item()
    with pytest.raises(IndexingError, match="0 to 7"):
        net.loss(source, lengths, target + 8).item()
    with pytest.raises(ArgumentError, match=r"own: expected a number from 0 to 1, got 1\.5"):
        net.loss(source, lengths, target, own=1.5)
    with pytest.raises(ArgumentError, match="label_smoothing: expected a number from 0 to 1, got -1"):
        net.loss(source, lengths, target, smoothing=-1)
    for words in ({"pace": 0}, {"pace": 5, "most": 2}, {"pace": 5, "schedule": "cosine"}):
        with pytest.raises(ArgumentError, match="own_share"):
            own_share(3, **words)


DAMAGED: list[Any] = [
    None, 5, [], {}, {"cell": []},
    *[{"hidden": size} for size in (0, 7, 2.0, True, "6", 10**7)],
    {"layers": 101}, {"layers": -1}, {"embedding": None}, {"feeding": 1}, {"residual": None}, {"dropout": float("nan")},
    {"dropout": "0"}, {"cell": "rnn"}, {"tied": True}, {"attention": "none", "feeding": True}, {"width": 3},
]  # fmt: skip


@pytest.mark.parametrize("change", DAMAGED, ids=repr)
def test_options_of_a_config_that_is_damaged(change: Any) -> None:
    whole = {"residual": False, "dropout": 0.0, **options("lstm", "general")}
    assert options_of(whole, "config.json") == whole
    content = {**whole, **change} if isinstance(change, dict) and change else change
    with pytest.raises(
        RunError, match=r"translate: config\.json: expected what the network is, .*Put back a copy of config\.json"
    ):
        options_of(content, "config.json")


# ---------------------------------------------------------------------- PyTorch's


@pytest.mark.peer
@pytest.mark.parametrize(("cell", "variant"), EVERY)
def test_steps_are_pytorchs(cell: str, variant: str) -> None:
    """The same source with PyTorch's layers: three steps of Adam on batches of several lengths, with smoothed labels.

    Each step's loss is the same to 1e-10, and of each parameter max|g - g'| <= 1e-9 max|g'|.
    """
    import torch

    ours = make(cell, variant)
    theirs = run_source(model_source("seq2seq"), "torch")["Seq2Seq"](SOURCE, TARGET, **options(cell, variant)).double()
    theirs.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in ours.state_dict().items()})
    pairs = [(m, net, m.optim.Adam(net.parameters(), lr=2e-3)) for m, net in ((minigrad, ours), (torch, theirs))]
    for step in range(3):
        losses = []
        for m, net, optimizer in pairs:
            optimizer.zero_grad()
            loss = net.loss(*batch(m, step), smoothing=0.1)
            loss.backward()
            losses.append(loss.item())
        assert abs(losses[0] - losses[1]) <= 1e-10
        check_gradients(ours, theirs, step)
        for *_, optimizer in pairs:
            optimizer.step()


@pytest.mark.peer
def test_words_of_its_own_run_in_pytorch_too() -> None:
    import torch

    theirs = run_source(model_source("seq2seq"), "torch")["Seq2Seq"](SOURCE, TARGET, **options("lstm", "general")).double()
    assert np.isfinite(theirs.loss(*batch(torch), own=0.5).item())
