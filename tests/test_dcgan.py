"""The networks of ``models/dcgan.py`` and what they lose, ``models/adversary.py``: any size, hand numbers, PyTorch beside."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import minigrad
from minigrad.benchmarks.source import model_source, run_source
from minigrad.errors import ArgumentError, DTypeError, MinigradError, ShapeError
from minigrad.kernels import conv2d
from minigrad.models.adversary import LOSSES, gradient_penalty, held, loss_of_discriminator, loss_of_generator, r1_penalty
from minigrad.models.dcgan import BASE, UP, Discriminator, Generator, ladder
from minigrad.optim import Adam
from tests.harness import check_gradients, difference

SIDES = st.integers(8, 40)


@settings(max_examples=25, deadline=None)
@given(SIDES, SIDES, st.sampled_from(UP), st.booleans())
def test_any_size_is_made_and_judged(height: int, width: int, up: str, colour: bool) -> None:
    """The ladder goes down by convolutions and up by transposed ones to the very same sizes."""
    channels = 3 if colour else 1
    generator = Generator((height, width), channels, noise=3, width=1, up=up)
    images = generator(minigrad.randn(2, 3))
    assert tuple(images.shape) == (2, channels, height, width) and float(images.abs().max()) <= 1
    discriminator = Discriminator((height, width), channels, width=1)
    assert tuple(discriminator(images).shape) == (2,)
    stages = ladder(height, width)
    assert stages[0].large == (height, width) and max(stages[-1].small) <= BASE < max(stages[-1].large)
    assert all(above.small == below.large for above, below in itertools.pairwise(stages))
    rows = images
    for stage, layers in zip(stages, discriminator.stages):
        assert tuple(rows.shape[2:]) == stage.large
        rows = layers(rows)
        assert tuple(rows.shape[2:]) == stage.small


def test_the_papers_stack() -> None:
    """Radford et al., figure 1, for 64 x 64: maps of 4, 8, 16, 32 pixels, whose channels are as 8 : 4 : 2 : 1."""
    generator, discriminator = Generator((64, 64), 3, noise=100, width=2), Discriminator((64, 64), 3, width=2)
    assert generator.base == (16, 4, 4)
    assert [tuple(stage[0].weight.shape) for stage in generator.stages] == [
        (16, 8, 4, 4), (8, 4, 4, 4), (4, 2, 4, 4), (2, 3, 4, 4),
    ]  # fmt: skip
    assert [tuple(stage[0].weight.shape) for stage in discriminator.stages] == [
        (2, 3, 4, 4), (4, 2, 4, 4), (8, 4, 4, 4), (16, 8, 4, 4),
    ]  # fmt: skip


def test_where_a_training_begins() -> None:
    minigrad.manual_seed(0)
    generator = Generator((32, 32), 3, noise=50, width=16)
    for name, parameter in generator.named_parameters():
        found = parameter.detach().numpy()
        if "bias" in name:
            assert not found.any(), name
        else:
            assert abs(found.mean() - (found.ndim == 1)) < 0.02 and abs(found.std() - 0.02) < 0.01, name


def test_a_class_that_is_asked_for() -> None:
    """Labels change what is made and what is said of it; the projection is a product with the last features."""
    minigrad.manual_seed(0)
    generator, discriminator = Generator((9, 8), 1, noise=4, width=2, classes=3), Discriminator((9, 8), 1, width=2, classes=3)
    noise, labels = minigrad.randn(2, 4), minigrad.tensor([0, 2])
    images = generator.eval()(noise, labels)
    assert not np.allclose(images.detach().numpy(), generator(noise, minigrad.tensor([1, 2])).detach().numpy())
    discriminator.eval()
    rows = images
    for stage in discriminator.stages:
        rows = stage(rows)
    rows = rows.flatten(1)
    by_hand = discriminator.last(rows)[:, 0] + (discriminator.kinds.weight[labels] * rows).sum(1)
    np.testing.assert_allclose(discriminator(images, labels).detach().numpy(), by_hand.detach().numpy(), rtol=1e-5)


def test_spectral_norm_is_at_every_weight_of_the_discriminator() -> None:
    names = [name for name, _ in Discriminator((16, 16), 1, width=2, classes=2, norm="spectral").named_parameters()]
    assert sum(name.endswith("weight_orig") for name in names) == 4 and not any(name.endswith("weight") for name in names)
    assert not any("BatchNorm" in str(layer) for layer in Discriminator((16, 16), 1, width=2, norm="none").modules())


REFUSED: list[tuple[Any, type[MinigradError], str]] = [
    (lambda: ladder(7, 20), ArgumentError, "height: expected at least 8"),
    (lambda: ladder(20, 257), ArgumentError, "width: expected at most 256 pixels, got 257"),
    (lambda: Generator((8, 8), 0), ArgumentError, "channels"),
    (lambda: Generator((8, 8), 1, up="bicubic"), ArgumentError, "up: expected"),
    (lambda: Discriminator((8, 8), 1, norm="layer"), ArgumentError, "norm: expected"),
    (lambda: Generator((8, 8), 1, noise=5)(minigrad.zeros(2, 4)), ShapeError, r"noise: expected shape \(N, 5\)"),
    (lambda: Generator((8, 8), 1, noise=5)(minigrad.zeros(2, 5), minigrad.tensor([1, 0])), ShapeError, "labels: expected none"),
    (lambda: Generator((8, 8), 1, noise=5, classes=2)(minigrad.zeros(2, 5)), ShapeError, "one for each of 2, as there are 2"),
    (lambda: Discriminator((8, 9), 1)(minigrad.zeros(2, 1, 9, 8)), ShapeError, r"images: expected shape \(N, 1, 8, 9\)"),
    (lambda: Discriminator((8, 8), 1, width=1.5), DTypeError, "width"),  # type: ignore[arg-type]
    (lambda: loss_of_generator(minigrad.zeros(1), "best"), ArgumentError, "kind: expected"),
    (
        lambda: loss_of_discriminator(minigrad.zeros(1), minigrad.zeros(1), "hinge", smoothing=0.1), ArgumentError,
        "smoothing: expected 0 with the loss hinge, got 0.1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_what_is_refused(call: Any, error: type[MinigradError], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_a_step_of_the_generator_computes_no_gradient_of_the_discriminator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: one call of the kernel for each weight that is learned, of a convolution or, where images are made, undone."""
    generator, discriminator = Generator((16, 16), 1, noise=3, width=2), Discriminator((16, 16), 1, width=2)
    real, calls = conv2d.grad_weight, [0]

    def counted(*arguments: Any, **words: Any) -> Any:
        calls[0] += 1
        return real(*arguments, **words)

    monkeypatch.setattr(conv2d, "grad_weight", counted)
    made = generator(minigrad.randn(4, 3))
    loss_of_discriminator(discriminator(made.detach()), discriminator(made.detach())).backward()
    assert calls[0] == 2 * len(discriminator.stages)
    discriminator.zero_grad()
    calls[0] = 0
    with held(discriminator):
        loss_of_generator(discriminator(made)).backward()
    assert calls[0] == len(generator.stages)
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_what_is_held_is_let_go_again() -> None:
    """Also where an error comes; what was not to be learned before is not afterwards."""
    network = Discriminator((16, 16), 1, width=2)
    frozen = next(network.parameters()).requires_grad_(False)
    with pytest.raises(ValueError, match="stop"), held(network):
        assert not any(parameter.requires_grad for parameter in network.parameters())
        raise ValueError("stop")
    held_still = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert held_still == ["stages.0.0.weight"] and not frozen.requires_grad


def test_a_slope_of_nothing_is_no_nan() -> None:
    x = minigrad.zeros(2, 1, 1, 2)
    weight = minigrad.zeros(1, requires_grad=True)
    for penalty in (
        gradient_penalty(lambda images: (weight * images).flatten(1).sum(1), x, x, None, minigrad.zeros(2)),
        r1_penalty(lambda images: (weight * images).flatten(1).sum(1), x, None),
    ):
        (slope,) = minigrad.autograd.grad(penalty, weight)
        assert np.isfinite(slope.numpy()).all()


# ---------------------------------------------------------------------- beside PyTorch


SHAPES: list[tuple[tuple[int, int], int, dict[str, Any], dict[str, Any]]] = [
    ((28, 28), 1, {}, {}),
    ((31, 17), 3, {"up": "resize"}, {"norm": "spectral"}),
    ((12, 20), 3, {"classes": 3}, {"classes": 3, "norm": "none"}),
]


@pytest.mark.peer
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize(("size", "channels", "of_generator", "of_discriminator"), SHAPES, ids=lambda given: str(given))
def test_twenty_steps_beside_pytorch(
    kind: str, size: tuple[int, int], channels: int, of_generator: dict[str, Any], of_discriminator: dict[str, Any]
) -> None:
    """Same weights, noise and batches, float64: losses of both to 1e-9 over 20 steps, each gradient to 1e-9 of its largest.

    PyTorch's losses are its own functions, and the gradient penalty is written anew.
    """
    import torch
    import torch.nn.functional as TF

    names = run_source(model_source("dcgan"), "torch")
    minigrad.manual_seed(0)
    ours = (Generator(size, channels, noise=6, width=3, **of_generator).double(),
            Discriminator(size, channels, width=3, **of_discriminator).double())  # fmt: skip
    theirs = (names["Generator"](size, channels, noise=6, width=3, **of_generator).double(),
              names["Discriminator"](size, channels, width=3, **of_discriminator).double())  # fmt: skip
    for mine, other in zip(ours, theirs):
        other.load_state_dict({name: torch.from_numpy(value.numpy().copy()) for name, value in mine.state_dict().items()})
    rules = [Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in ours]
    other_rules = [torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in theirs]
    rng = np.random.default_rng(0)
    classes = of_generator.get("classes", 0)
    penalised = kind == "wasserstein"
    for step in range(20):
        noise, images = rng.standard_normal((5, 6)), rng.uniform(-1, 1, (5, channels, *size))
        share, numbers = rng.random(5), rng.integers(0, 3, 5)
        x, z, labels = minigrad.tensor(images), minigrad.tensor(noise), minigrad.tensor(numbers) if classes else None
        more: Any = (labels,) if classes else ()
        generator, discriminator = ours
        made = generator(z, *more)
        loss = loss_of_discriminator(discriminator(x, *more), discriminator(made.detach(), *more), kind)
        if penalised:
            loss = loss + 10 * gradient_penalty(discriminator, x, made.detach(), labels, minigrad.tensor(share))
        elif kind == "hinge":
            loss = loss + 5 * r1_penalty(discriminator, x, labels)
        rules[1].zero_grad()
        loss.backward()

        tx, tz, more = torch.from_numpy(images), torch.from_numpy(noise), (torch.from_numpy(numbers),) if classes else ()
        net_g, net_d = theirs
        fake = net_g(tz, *more)
        real_score, fake_score = net_d(tx, *more), net_d(fake.detach(), *more)
        ones, zeros = torch.ones_like(real_score), torch.zeros_like(real_score)
        if kind == "original":
            other = TF.binary_cross_entropy_with_logits(real_score, ones) + TF.binary_cross_entropy_with_logits(
                fake_score, zeros
            )
        elif kind == "hinge":
            other = (1 - real_score).clamp(min=0).mean() + (1 + fake_score).clamp(min=0).mean()
            point = tx.clone().requires_grad_()
            (slope,) = torch.autograd.grad(net_d(point, *more).sum(), point, create_graph=True)
            other = other + 5 * 0.5 * (slope**2).sum((1, 2, 3)).mean()
        elif kind == "least-squares":
            other = 0.5 * TF.mse_loss(real_score, ones) + 0.5 * TF.mse_loss(fake_score, zeros)
        else:
            other = fake_score.mean() - real_score.mean()
            mix = torch.from_numpy(share).reshape(-1, 1, 1, 1)
            point = (mix * tx + (1 - mix) * fake.detach()).requires_grad_()
            (slope,) = torch.autograd.grad(net_d(point, *more).sum(), point, create_graph=True)
            other = other + 10 * ((slope.reshape(5, -1).norm(dim=1) - 1) ** 2).mean()
        other_rules[1].zero_grad()
        other.backward()
        assert difference(loss.detach(), other.detach()) < 1e-9, step
        check_gradients(discriminator, net_d, f"discriminator, step {step}")
        rules[1].step()
        other_rules[1].step()

        rules[0].zero_grad()
        with held(discriminator):
            loss = loss_of_generator(discriminator(made, *more and (labels,)), kind)
            loss.backward()
        other_rules[0].zero_grad()
        score = net_d(fake, *more)
        if kind == "original":
            other = TF.binary_cross_entropy_with_logits(score, torch.ones_like(score))
        elif kind == "least-squares":
            other = 0.5 * TF.mse_loss(score, torch.ones_like(score))
        else:
            other = -score.mean()
        other.backward()
        assert difference(loss.detach(), other.detach()) < 1e-9, step
        check_gradients(generator, net_g, f"generator, step {step}")
        rules[0].step()
        other_rules[0].step()
