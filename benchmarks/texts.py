"""Training steps on sequences that are known whole: a language model of characters, and a translator."""

from __future__ import annotations

from typing import Any

from minigrad.bench.workload import Step, Workload
from minigrad.benchmarks.inputs import batches, fill


def char_lstm(m: Any, *, batch: int, steps: int, hidden: int, layers: int, vocabulary: int) -> Step:
    """Tokens (T, B) -> Embedding -> LSTM -> Linear -> cross-entropy with the next ones; the state is carried on.

    Graves 2013, arXiv:1308.0850, section 3; clipping: Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063.
    """
    nn, F = m.nn, m.nn.functional
    embedding, lstm, head = nn.Embedding(vocabulary, hidden), nn.LSTM(hidden, hidden, layers), nn.Linear(hidden, vocabulary)
    model = nn.ModuleList([embedding, lstm, head])
    fill(m, 0, model)
    parameters = list(model.parameters())
    optimizer = m.optim.Adam(parameters, lr=2e-3)
    turn = batches(m, 1, lambda rng: (rng.integers(0, vocabulary, (steps + 1, batch)),))
    state = None

    def step() -> float:
        nonlocal state
        (tokens,) = next(turn)
        output, (h, c) = lstm(embedding(tokens[:-1]), state)
        state = h.detach(), c.detach()
        loss = F.cross_entropy(head(output).flatten(0, 1), tokens[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        return loss.item()

    return step


def seq2seq(m: Any, *, batch: int, tokens: int, embedding: int, hidden: int, vocabulary: int) -> Step:
    """A bidirectional LSTM reads a sentence, an LSTM writes its translation and looks at it by attention at every word.

    Luong, Pham, Manning 2015, arXiv:1508.04025, section 3.1: global attention with the score h W s ("general"). The right
    words are given to the decoder, so that it too knows its whole input.
    """
    nn, F = m.nn, m.nn.functional
    read_words, write_words = nn.Embedding(vocabulary, embedding), nn.Embedding(vocabulary, embedding)
    encoder = nn.LSTM(embedding, hidden // 2, bidirectional=True)
    decoder = nn.LSTM(embedding, hidden)
    score, combine = nn.Linear(hidden, hidden, bias=False), nn.Linear(2 * hidden, hidden, bias=False)
    head = nn.Linear(hidden, vocabulary)
    model = nn.ModuleList([read_words, write_words, encoder, decoder, score, combine, head])
    fill(m, 0, model)
    optimizer = m.optim.Adam(model.parameters(), lr=1e-3)
    turn = batches(
        m, 1, lambda rng: (rng.integers(0, vocabulary, (tokens, batch)), rng.integers(0, vocabulary, (tokens + 1, batch)))
    )

    def step() -> float:
        source, target = next(turn)
        memory, (h, c) = encoder(read_words(source))
        # the last states of both directions side by side: (2, B, H / 2) -> (1, B, H)
        first = tuple([m.cat((last[0], last[1]), dim=1).unsqueeze(0) for last in (h, c)])
        output, _ = decoder(write_words(target[:-1]), first)
        memory, output = memory.transpose(0, 1), output.transpose(0, 1)
        weights = F.softmax(score(output) @ memory.transpose(1, 2), dim=2)  # (B, T, S)
        attentional = m.tanh(combine(m.cat((weights @ memory, output), dim=2)))
        loss = F.cross_entropy(head(attentional).flatten(0, 1), target[1:].transpose(0, 1).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def lstm_flops(inputs: int, hidden: int) -> float:
    """Of one step of one sequence, forward."""
    return 2 * 4 * hidden * (inputs + hidden)


def _char_flops(batch: int, steps: int, hidden: int, layers: int, vocabulary: int) -> float:
    return 3 * batch * steps * (layers * lstm_flops(hidden, hidden) + 2 * hidden * vocabulary)


def _seq2seq_flops(batch: int, tokens: int, embedding: int, hidden: int, vocabulary: int) -> float:
    read = 2 * lstm_flops(embedding, hidden // 2)
    attention = 2 * (hidden**2 + 2 * tokens * hidden + 2 * hidden**2)
    return 3 * batch * tokens * (read + lstm_flops(embedding, hidden) + attention + 2 * hidden * vocabulary)


def _char(hidden: int) -> Workload:
    return Workload(
        f"char-lstm-{hidden}",
        f"language model of characters, two LSTM layers of {hidden}; Adam, gradients clipped",
        char_lstm,
        {"batch": 50, "steps": 50, "hidden": hidden, "layers": 2, "vocabulary": 65},
        _char_flops,
        small={"batch": 3, "steps": 4, "hidden": 8, "vocabulary": 11},
    )


CHAR_LSTM_128, CHAR_LSTM_512 = _char(128), _char(512)
SEQ2SEQ = Workload(
    "seq2seq",
    "bidirectional LSTM 2 x 128 -> LSTM 256 with attention, 8,000 words; Adam",
    seq2seq,
    {"batch": 64, "tokens": 16, "embedding": 128, "hidden": 256, "vocabulary": 8000},
    _seq2seq_flops,
    small={"batch": 3, "tokens": 4, "embedding": 6, "hidden": 8, "vocabulary": 20},
)
