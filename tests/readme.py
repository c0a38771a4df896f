"""The README's code blocks: read them, and run them as a reader would.

python tests/readme.py python    runs each Python block in a fresh interpreter and an empty folder
python tests/readme.py sh        prints the shell blocks that CI runs: those under a line ``<!-- ci -->``
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).resolve().parent.parent / "README.md"
CI = "<!-- ci -->"
FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A code block: the line of its first line of code, its language, its code, and whether it is marked for CI."""

    line: int
    language: str
    code: str
    ci: bool


def blocks(text: str) -> list[Block]:
    """The code blocks of a Markdown text."""
    found = []
    for match in FENCE.finditer(text):
        before = text[: match.start()]
        line = text.count("\n", 0, match.start("code")) + 1
        found.append(Block(line, match["language"], match["code"], before.rstrip().endswith(CI)))
    return found


def run(block: Block, folder: Path | str) -> subprocess.CompletedProcess[str]:
    """Run a Python block in a fresh interpreter, warnings as errors; a traceback names the README's line."""
    code = "\n" * (block.line - 1) + block.code
    path = Path(folder) / "README.md"
    path.write_text(code, encoding="utf-8")
    command = [sys.executable, "-W", "error", str(path)]
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def main(kind: str) -> int:
    found = blocks(README.read_text(encoding="utf-8"))
    if kind == "sh":
        print("\n".join(block.code for block in found if block.language == "sh" and block.ci))
        return 0
    failed = 0
    for block in found:
        if block.language == "python":
            with tempfile.TemporaryDirectory() as folder:
                done = run(block, folder)
            failed += done.returncode != 0
            print(f"README.md:{block.line}: {'failed' if done.returncode else 'ran'}\n{done.stdout}{done.stderr}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
