"""The recorder: one page on which a person writes given words with mouse, finger or pen, and saves them as a stroke file.

The page is a single file that needs no server and no network. ``page.html`` is its frame and ``style.css`` its look;
``pad.js`` turns what the pointer does into strokes, ``store.js`` keeps them in the browser and makes them a file, and
``recorder.js`` is what the buttons do. ``minigrad.data.recorded`` reads the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files

from minigrad.data.recorded import FORMAT, VERSION
from minigrad.show.page import embedded, escaped, source
from minigrad.show.recorder.words import WORDS
from minigrad.show.stylesheet import DARK, LIGHT, variables

GENERATOR = "minigrad data record"  # by which a page of ours is known
SAVED_AS = "handwriting.json"
SCRIPTS = ("pad.js", "store.js", "recorder.js")


def recorder_page(words: Sequence[str] = WORDS, title: str = "In your own hand") -> str:
    """The page, whole.

    What is written on it is kept in the browser under a digest of the words: a page of the same words finds it again.

    Args:
        words: what to write, in this order; a text may be there twice.
        title: the heading.

    Example:
        >>> page = recorder_page(["Hello", "world"])
        >>> "<h1>In your own hand</h1>" in page, "@TITLE@" in page
        (True, False)
    """
    task = {"words": list(words), "id": digest(words), "format": FORMAT, "version": VERSION, "file": SAVED_AS}
    style = f":root {{ color-scheme: light dark; {variables(LIGHT)} }}\n"
    style += f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}\n{_part('style.css')}"
    script = "\n" + "\n".join(map(_part, SCRIPTS))
    parts = {
        "GENERATOR": GENERATOR,
        "POLICY": "; ".join(
            ["default-src 'none'", "img-src data:", f"style-src {source(chr(10) + style)}", f"script-src {source(script)}"]
        ),
        "STYLE": style,
        "SCRIPT": script,
        "TASK": embedded(task),
        "TITLE": escaped(title),
    }
    pieces = _part("page.html").split("@")  # text, name, text, name, ... : what is put in is not looked through again
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def digest(words: Sequence[str]) -> str:
    """By what a page of these words finds again what was written on it.

    Example:
        >>> digest(["a", "b"]) == digest(["a", "b"]), digest(["ab"]) == digest(["a", "b"])
        (True, False)
    """
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:16]


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
