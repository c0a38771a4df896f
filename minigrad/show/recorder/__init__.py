"""The recorder: one page on which a person writes given words with mouse, finger or pen, and saves them as a stroke file.

The page is a single file that needs no server and no network. ``page.html`` is its frame and ``style.css`` its look;
``pad.js`` turns what the pointer does into strokes, ``store.js`` keeps them in the browser and makes them a file, and
``recorder.js`` is what the buttons do. ``minigrad.data.recorded`` reads the file.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files

from minigrad.data.recorded import FORMAT, VERSION
from minigrad.show.page import escaped
from minigrad.show.recorder.words import WORDS
from minigrad.show.stylesheet import DARK, LIGHT, variables

GENERATOR = "minigrad data record"  # by which a page of ours is known
SAVED_AS = "handwriting.json"
SCRIPTS = ("pad.js", "store.js", "recorder.js")
IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


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
            ["default-src 'none'", "img-src data:", f"style-src {_source(chr(10) + style)}", f"script-src {_source(script)}"]
        ),
        "STYLE": style,
        "SCRIPT": script,
        "TASK": json.dumps(task, ensure_ascii=False).translate(IN_SCRIPT),
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


def _source(text: str) -> str:
    """The one script or style sheet that the page's policy lets run, by its digest."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
