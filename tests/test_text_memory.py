"""A text larger than the memory: what is needed to read it and to go through it does not grow with it."""

from __future__ import annotations

import json
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from minigrad.benchmarks import large_text
from minigrad.core import machine
from minigrad.data import Lanes, ids, open_text, pieces, textread
from minigrad.data.check import check_text
from minigrad.errors import ArgumentError


def test_memory_does_not_grow_with_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ids, "IN_MEMORY", 1 << 16)
    monkeypatch.setattr(textread, "PIECE", 1 << 16)
    peaks = []
    for lines in (10_000, 50_000):
        path = tmp_path / f"{lines}.txt"
        path.write_bytes(b"The quick brown fox jumps over the lazy dog.\n" * lines)
        tracemalloc.start()
        data = open_text(path)
        assert isinstance(data.train.values, np.memmap)
        for tokens, _ in [*islice(Lanes(data.train, 8, 50), 20), *islice(pieces(data.validation, 8, 50), 20)]:
            assert (
                data.vocabulary.decode(tokens.numpy()[:, 0]).replace("\n", "")
                in "The quick brown fox jumps over the lazy dog." * 3
            )
        check_text(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (1 << 20)


def test_the_benchmark_tells_its_figures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ids, "IN_MEMORY", 1 << 16)
    before = set(machine.cache_folder().glob("text/*"))
    words = ["--size", "200000", "--steps", "1", "--hidden", "4"]
    large_text.main([*words, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["size"], told["characters"], told["steps"]) == (200_000, 200_000, 1)
    assert 1 << 20 < told["opening_anonymous"] <= told["anonymous"]
    large_text.main(words)
    assert capsys.readouterr().out.startswith("a text of 0.000 GB, 200,000 characters\nread and written as numbers: ")
    assert set(machine.cache_folder().glob("text/*")) == before


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="expected Linux, which tells a process's anonymous memory"):
        large_text.anonymous(tmp_path)
