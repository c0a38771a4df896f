"""Images: training steps of a small convolutional network, ResNet-20 and two DCGANs, and EfficientNet-Lite0 applied."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.bench.workload import Step, Workload
from minigrad.benchmarks.inputs import batches, fill, normal
from minigrad.benchmarks.peers import of_images, others
from minigrad.benchmarks.source import network
from minigrad.models.dcgan import ladder, widths
from minigrad.models.efficientnet import HEAD, STAGES, STEM


def _classifier(m: Any, model: Any, batch: int, side: int) -> Step:
    """A step of SGD with momentum on cross-entropy, ten classes."""
    fill(m, 0, model)
    optimizer = m.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    turn = batches(m, 1, lambda rng: (normal(rng, batch, 3, side, side), rng.integers(0, 10, batch)))

    def step() -> float:
        images, labels = next(turn)
        loss = m.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def small_cnn(m: Any, *, batch: int, side: int, width: int, hidden: int) -> Step:
    """conv 32, conv 32, pool, conv 64, conv 64, pool, linear 256, linear 10: ``minigrad.models.cnn.PlainCNN``."""
    model = network(m, "cnn").PlainCNN(3, (side, side), 10, width, hidden, stages=2)
    return _classifier(m, model, batch, side)


def resnet(m: Any, *, batch: int, side: int, depth: int, width: int) -> Step:
    """He et al. 2015 (arXiv:1512.03385), section 4.2: ``minigrad.models.resnet.ResNet``."""
    return _classifier(m, network(m, "resnet").ResNet(depth, 3, 10, width), batch, side)


def dcgan(m: Any, *, batch: int, filters: int, noise: int) -> Step:
    """One step of each network on 64 x 64 images: the discriminator on real and on made ones, then the generator.

    Radford, Metz, Chintala 2015, arXiv:1511.06434. In the generator's step the discriminator's weights want no gradient.
    """
    nn, F = m.nn, m.nn.functional

    def up(a: int, b: int, stride: int, padding: int) -> list[Any]:
        return [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU()]

    def down(a: int, b: int) -> list[Any]:
        return [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]

    f = filters
    generator = nn.Sequential(
        *up(noise, 8 * f, 1, 0),
        *up(8 * f, 4 * f, 2, 1),
        *up(4 * f, 2 * f, 2, 1),
        *up(2 * f, f, 2, 1),
        nn.ConvTranspose2d(f, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(3, f, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        *down(f, 2 * f),
        *down(2 * f, 4 * f),
        *down(4 * f, 8 * f),
        nn.Conv2d(8 * f, 1, 4, 1, 0, bias=False),
        nn.Flatten(0),
    )
    fill(m, 0, generator, discriminator)
    real, fake = m.tensor(np.ones(batch, np.float32)), m.tensor(np.zeros(batch, np.float32))
    turn = batches(m, 1, lambda rng: (np.tanh(normal(rng, batch, 3, 64, 64)), normal(rng, batch, noise, 1, 1)))
    g_optimizer, d_optimizer = (
        m.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999)) for model in (generator, discriminator)
    )

    def step() -> float:
        images, z = next(turn)
        made = generator(z)
        discriminator.requires_grad_(True)
        d_optimizer.zero_grad()
        d_loss = F.binary_cross_entropy_with_logits(discriminator(images), real)
        d_loss.backward()
        made_loss = F.binary_cross_entropy_with_logits(discriminator(made.detach()), fake)
        made_loss.backward()
        d_optimizer.step()
        discriminator.requires_grad_(False)
        g_optimizer.zero_grad()
        g_loss = F.binary_cross_entropy_with_logits(discriminator(made), real)
        g_loss.backward()
        g_optimizer.step()
        return d_loss.item() + made_loss.item() + g_loss.item()

    return step


def gan(m: Any, *, batch: int, side: int, filters: int, noise: int) -> Step:
    """A step of ``minigrad train gan`` on grey images: ``Generator`` and ``Discriminator`` of ``minigrad.models.dcgan``.

    As in ``dcgan`` the generator learns from the images that the discriminator saw, with the discriminator's weights held.
    """
    networks, losses = network(m, "dcgan"), network(m, "adversary")
    generator = networks.Generator((side, side), 1, noise=noise, width=filters)
    discriminator = networks.Discriminator((side, side), 1, width=filters)
    for layer in [*generator.modules(), *discriminator.modules()]:
        if isinstance(layer, m.nn.BatchNorm2d):  # whose scales are drawn, and ``fill`` leaves scales as they are
            m.nn.init.ones_(layer.weight)
    fill(m, 0, generator, discriminator)
    turn = batches(m, 1, lambda rng: (np.tanh(normal(rng, batch, 1, side, side)), normal(rng, batch, noise)))
    g_optimizer, d_optimizer = (
        m.optim.Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999)) for model in (generator, discriminator)
    )

    def step() -> float:
        images, z = next(turn)
        made = generator(z)
        d_optimizer.zero_grad()
        d_loss = losses.loss_of_discriminator(discriminator(images), discriminator(made.detach()))
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        with losses.held(discriminator):
            g_loss = losses.loss_of_generator(discriminator(made))
            g_loss.backward()
        g_optimizer.step()
        return d_loss.item() + g_loss.item()

    return step


def efficientnet(m: Any, *, batch: int, side: int, classes: int) -> Step:
    """Photos to logits by ``minigrad.models.efficientnet.EfficientNetLite``, made ready by ``minigrad.models.folded``.

    Batch norms are folded into convolutions with either library. Nothing is recorded, and nothing learned.
    """
    model = network(m, "efficientnet").EfficientNetLite(classes).eval()
    fill(m, 0, model)
    model = network(m, "folded").folded(model)
    stepping = getattr(m.nn.utils, "Stepping", contextlib.nullcontext)()  # PyTorch has none
    turn = batches(m, 1, lambda rng: (normal(rng, batch, 3, side, side),))

    def step() -> float:
        (photos,) = next(turn)
        with m.no_grad(), stepping:
            return model(photos).square().mean().item()

    return step


def _efficientnet_flops(batch: int, side: int, classes: int) -> float:
    channels, size = STEM, -(-side // 2)
    sums = 9 * 3 * channels * size**2
    for count, kernel, stride, expansion, out in STAGES:
        for number in range(count):
            wide, before = channels * expansion, size
            size = size if number else -(-size // stride)
            sums += (channels * wide * before**2 if expansion > 1 else 0) + (kernel**2 + out) * wide * size**2
            channels = out
    return 2 * batch * (sums + channels * HEAD * size**2 + HEAD * classes)


def _small_cnn_flops(batch: int, side: int, width: int, hidden: int) -> float:
    area, w = side**2, width
    convolutions = 9 * area * (3 * w + w * w + (2 * w * w + 4 * w * w) / 4)
    return 2 * batch * (3 * (convolutions + 2 * w * area / 16 * hidden + 10 * hidden) - 9 * area * 3 * w)


def _resnet_flops(batch: int, side: int, depth: int, width: int) -> float:
    blocks, area, w = (depth - 2) // 6, side**2, width
    first = 9 * 3 * w * area
    convolutions = 9 * w * w * area * (2 * blocks + 2 * (2 / 4 + (2 * blocks - 1)))  # each stage's cost the same but its first
    return 2 * batch * (3 * (first + convolutions + 40 * w) - first)


def _dcgan_flops(batch: int, filters: int, noise: int) -> float:
    f = filters
    image = 16 * 3 * f * 32**2
    inner = 16 * 16**2 * 2 * f * f * 3
    last, first = 16 * 8 * f, 16 * 8 * f * noise
    return _two_networks(batch, image, inner, last, first)


def _gan_flops(batch: int, side: int, filters: int, noise: int) -> float:
    stages = ladder(side, side)
    counts = [1, *widths(filters, len(stages))]
    image, *inner = (
        a * b * math.prod(stage.kernel) * math.prod(stage.small) for stage, a, b in zip(stages, counts, counts[1:])
    )
    last = counts[-1] * math.prod(stages[-1].small)
    return _two_networks(batch, image, sum(inner), last, noise * last)


def _two_networks(batch: int, image: float, inner: float, last: float, first: float) -> float:
    """Of a step of both: what lies next to the image, between, at the discriminator's end, and at the generator's beginning."""
    d, g = image + inner + last, image + inner + first
    return 2 * batch * (2 * (3 * d - image) + 2 * d + 3 * g - first)  # real and made; through it once more; the generator


SMALL_CNN = Workload(
    "small-cnn",
    "conv 32, conv 32, pool, conv 64, conv 64, pool, linear 256, linear 10; SGD with momentum",
    small_cnn,
    {"batch": 128, "side": 32, "width": 32, "hidden": 256},
    _small_cnn_flops,
    small={"batch": 4, "side": 8, "width": 8, "hidden": 16},
    others={**of_images(small_cnn), **others("small_cnn")},
)
RESNET20 = Workload(
    "resnet20",
    "residual network of 20 layers on 32 x 32 images; SGD with momentum",
    resnet,
    {"batch": 128, "side": 32, "depth": 20, "width": 16},
    _resnet_flops,
    small={"batch": 4, "side": 16, "depth": 8, "width": 8},
    others=of_images(resnet),
)
DCGAN = Workload(
    "dcgan",
    "DCGAN for 64 x 64 images: discriminator on real and made ones, generator; Adam",
    dcgan,
    {"batch": 64, "filters": 64, "noise": 100},
    _dcgan_flops,
    small={"batch": 4, "filters": 4, "noise": 8},
    others=of_images(dcgan),
)
DCGAN_28 = Workload(
    "dcgan-28",
    "a step of minigrad train gan on grey images of 28 x 28: discriminator on real and made ones, generator; Adam",
    gan,
    {"batch": 64, "side": 28, "filters": 64, "noise": 100},
    _gan_flops,
    small={"batch": 4, "side": 17, "filters": 4, "noise": 8},
    others=of_images(gan),
)
EFFICIENTNET = Workload(
    "efficientnet",
    "EfficientNet-Lite0 on photos of 224 x 224: logits, no training",
    efficientnet,
    {"batch": 32, "side": 224, "classes": 1000},
    _efficientnet_flops,
    small={"batch": 2, "side": 64, "classes": 10},
    others=of_images(efficientnet),
)
EFFICIENTNET_1 = replace(
    EFFICIENTNET,
    name="efficientnet-1",
    about="EfficientNet-Lite0 on one photo of 224 x 224: logits, no training",
    sizes={**EFFICIENTNET.sizes, "batch": 1},
)
