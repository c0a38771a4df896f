"""Training steps whose inputs depend on the last output, so that a sequence goes step by step: ``LSTMCell``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.bench.workload import Step, Workload
from minigrad.benchmarks.inputs import batches, fill, normal
from minigrad.benchmarks.texts import lstm_flops


def input_feeding(m: Any, *, batch: int, tokens: int, words: int, hidden: int, vocabulary: int) -> Step:
    """A decoder that is told at each word what it attended to at the last, beside the word.

    Luong, Pham, Manning 2015, arXiv:1508.04025: attention (section 3.1, score "general") and input feeding (section 3.3).
    What the encoder gave comes ready, (B, S, H), and its gradient is computed.
    """
    nn, F = m.nn, m.nn.functional
    embedding, cell = nn.Embedding(vocabulary, words), nn.LSTMCell(words + hidden, hidden)
    score, combine = nn.Linear(hidden, hidden, bias=False), nn.Linear(2 * hidden, hidden, bias=False)
    head = nn.Linear(hidden, vocabulary)
    model = nn.ModuleList([embedding, cell, score, combine, head])
    fill(m, 0, model)
    optimizer = m.optim.Adam(model.parameters(), lr=1e-3)
    turn = batches(m, 1, lambda rng: (normal(rng, batch, tokens, hidden), rng.integers(0, vocabulary, (tokens + 1, batch))))
    zeros = m.zeros(batch, hidden)

    def step() -> float:
        encoded, target = next(turn)
        memory = encoded.detach().requires_grad_()
        keys = memory @ score.weight  # (B, S, H): h W s = h (W s) for all words at once
        h = c = fed = zeros
        found = []
        for x in embedding(target[:-1]).unbind(0):
            h, c = cell(m.cat((x, fed), dim=1), (h, c))
            weights = F.softmax(keys @ h.unsqueeze(2), dim=1)  # (B, S, 1)
            context = (weights.transpose(1, 2) @ memory).squeeze(1)
            fed = m.tanh(combine(m.cat((context, h), dim=1)))
            found.append(fed)
        loss = F.cross_entropy(head(m.cat(found)), target[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def handwriting(
    m: Any, *, batch: int, steps: int, hidden: int, characters: int, letters: int, windows: int, mixtures: int
) -> Step:
    """Pen strokes from text: three LSTM layers, a soft window over the text, a mixture density of the next stroke.

    Graves 2013, arXiv:1308.0850, sections 4 and 5. The first layer is told what the window showed at the last step, and so goes
    step by step; the second and third know their whole input when it is done, and run at once.
    """
    nn = m.nn
    cell = nn.LSTMCell(3 + letters, hidden)
    window = nn.Linear(hidden, 3 * windows)
    second, third = (nn.LSTM(3 + letters + hidden, hidden) for _ in range(2))
    head = nn.Linear(3 * hidden, 1 + 6 * mixtures)
    model = nn.ModuleList([cell, window, second, third, head])
    fill(m, 0, model)
    parameters = list(model.parameters())
    optimizer = m.optim.RMSprop(parameters, lr=1e-4, alpha=0.95, eps=1e-4, momentum=0.9, centered=True)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        strokes = normal(rng, steps + 1, batch, 3)
        strokes[..., 2] = rng.random((steps + 1, batch)) < 0.05  # the pen is lifted
        return strokes, np.eye(letters, dtype=np.float32)[rng.integers(0, letters, (batch, characters))]

    turn = batches(m, 1, draw)
    zeros, nothing, start = m.zeros(batch, hidden), m.zeros(batch, letters), m.zeros(batch, windows)
    places = m.arange(characters).to(m.float32)

    def step() -> float:
        strokes, text = next(turn)  # (T + 1, B, 3), (B, U, A)
        h = c = zeros
        shown, kappa = nothing, start
        firsts, seen = [], []
        for x in strokes[:-1].unbind(0):
            h, c = cell(m.cat((x, shown), dim=1), (h, c))
            alpha, beta, forward = m.exp(window(h)).chunk(3, dim=1)
            kappa = kappa + forward
            away = kappa.unsqueeze(2) - places  # (B, K, U)
            phi = (alpha.unsqueeze(2) * m.exp(-beta.unsqueeze(2) * away * away)).sum(dim=1)  # equation 46
            shown = (phi.unsqueeze(1) @ text).squeeze(1)  # equation 47
            firsts.append(h)
            seen.append(shown)
        first, seen_all = m.stack(firsts), m.stack(seen)
        outer = m.cat((strokes[:-1], seen_all), dim=2)
        two, _ = second(m.cat((outer, first), dim=2))
        three, _ = third(m.cat((outer, two), dim=2))
        loss = -log_density(m, head(m.cat((first, two, three), dim=2)), strokes[1:], mixtures).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()
        return loss.item()

    return step


def log_density(m: Any, given: Any, strokes: Any, mixtures: int) -> Any:
    """Logarithm of the density of each stroke (T, B, 3): equations 18 to 25 of Graves 2013.

    Args:
        given: (T, B, 1 + 6 ``mixtures``): the pen's chance as a logit; of each normal distribution its weight as a logit, two
            means, the logarithms of two deviations, the correlation before its tanh.
    """
    F = m.nn.functional
    pen, weights, mu1, mu2, log1, log2, rho = given.split([1] + [mixtures] * 6, dim=2)
    rho = m.tanh(rho)
    z1 = (strokes[:, :, 0:1] - mu1) * m.exp(-log1)
    z2 = (strokes[:, :, 1:2] - mu2) * m.exp(-log2)
    rest = 1 - rho * rho
    z = (z1 * z1 + z2 * z2 - 2 * rho * z1 * z2) / rest
    log_normal = -0.5 * z - math.log(2 * math.pi) - log1 - log2 - 0.5 * m.log(rest)
    place = m.logsumexp(F.log_softmax(weights, dim=2) + log_normal, dim=2)
    return place - F.binary_cross_entropy_with_logits(pen.squeeze(2), strokes[:, :, 2], reduction="none")


def _input_feeding_flops(batch: int, tokens: int, words: int, hidden: int, vocabulary: int) -> float:
    attention = 2 * (hidden**2 + 2 * tokens * hidden + 2 * hidden**2)
    return 3 * batch * tokens * (lstm_flops(words + hidden, hidden) + attention + 2 * hidden * vocabulary)


def _handwriting_flops(
    batch: int, steps: int, hidden: int, characters: int, letters: int, windows: int, mixtures: int
) -> float:
    layers = lstm_flops(3 + letters, hidden) + 2 * lstm_flops(3 + letters + hidden, hidden)
    window = 2 * 3 * windows * hidden + 8 * windows * characters + 2 * characters * letters
    return 3 * batch * steps * (layers + window + 2 * 3 * hidden * (1 + 6 * mixtures))


INPUT_FEEDING = Workload(
    "input-feeding",
    "decoder with attention and input feeding, LSTM 256, 8,000 words; Adam",
    input_feeding,
    {"batch": 64, "tokens": 16, "words": 128, "hidden": 256, "vocabulary": 8000},
    _input_feeding_flops,
    small={"batch": 3, "tokens": 4, "words": 5, "hidden": 8, "vocabulary": 20},
)
HANDWRITING = Workload(
    "handwriting",
    "three LSTM layers of 256, a soft window over the text, mixture density of 20; RMSprop, gradients clipped",
    handwriting,
    {"batch": 32, "steps": 50, "hidden": 256, "characters": 20, "letters": 60, "windows": 10, "mixtures": 20},
    _handwriting_flops,
    small={"batch": 3, "steps": 4, "hidden": 8, "characters": 5, "letters": 7, "windows": 2, "mixtures": 3},
)
