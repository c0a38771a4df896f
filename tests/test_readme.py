"""The README's Python blocks run, each alone, and its shell blocks name what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minigrad.benchmarks import WORKLOADS
from tests import readme

BLOCKS = readme.blocks(readme.README.read_text(encoding="utf-8"))


def cases() -> list[object]:
    """A block that imports PyTorch is a peer test."""
    return [
        pytest.param(
            block, id=f"line{block.line}", marks=[pytest.mark.peer] if re.search(r"^import torch", block.code, re.M) else []
        )
        for block in BLOCKS
        if block.language == "python"
    ]


@pytest.mark.parametrize("block", cases())
def test_python_block(block: readme.Block, tmp_path: Path) -> None:
    done = readme.run(block, tmp_path)
    assert done.returncode == 0, done.stderr


def test_what_the_checked_kernel_prints(tmp_path: Path) -> None:
    at = next(at for at, block in enumerate(BLOCKS) if "minigrad.emulator" in block.code)
    assert BLOCKS[at + 1].language == "text" and readme.run(BLOCKS[at], tmp_path).stdout == BLOCKS[at + 1].code


def test_every_block_has_a_known_language() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "sh", "text"}


def test_make_targets_exist() -> None:
    asked = {target for block in BLOCKS if block.language == "sh" for target in re.findall(r"^make (\w+)", block.code, re.M)}
    makefile = (readme.README.parent / "Makefile").read_text(encoding="utf-8")
    assert asked
    assert asked <= set(re.findall(r"^(\w+):", makefile, re.M))


def test_no_text_installs_the_stranger() -> None:
    """On the public index the bare name is someone else's package."""
    stranger = re.compile(r"pip install[^\n]*\bminigrad(?![-\w./])")
    assert stranger.search("pip install minigrad")
    assert not stranger.search("pip install minigrad-engine")
    for name in ("README.md", "CONTRIBUTING.md"):
        assert not stranger.search((readme.README.parent / name).read_text(encoding="utf-8"))


def test_a_failing_block_is_told_with_its_line(tmp_path: Path) -> None:
    (block,) = readme.blocks("text\n\n```python\nx = 1\nraise ValueError(x)\n```\n")
    assert (block.line, block.language, block.ci) == (4, "python", False)
    done = readme.run(block, tmp_path)
    assert done.returncode == 1
    assert 'README.md", line 5' in done.stderr
    (block,) = readme.blocks("```python\nimport warnings\nwarnings.warn('old')\n```\n")
    assert readme.run(block, tmp_path).returncode == 1


def test_shell_blocks_for_ci_are_marked() -> None:
    first, second = readme.blocks(f"{readme.CI}\n```sh\nls\n```\n\n```sh\npwd\n```\n")
    assert (first.ci, second.ci) == (True, False)


def test_commands_exist() -> None:
    from typer.main import get_command

    from minigrad.cli.app import app

    commands = get_command(app)
    typed = [line.split("#")[0].split() for block in BLOCKS if block.language == "sh" for line in block.code.splitlines()]
    asked = [words[1:] for words in typed if words[:1] == ["minigrad"]]
    assert {"demo", "train", "classify", "eval", "data", "doctor"} <= {words[0] for words in asked}
    for words in asked:
        command = commands
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not getattr(command, "commands", None), f"{words}: no such command"
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_every_workload_is_told_of() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert [name for name in WORKLOADS if f"`{name}`" not in text and f"`minigrad bench {name} " not in text] == []
