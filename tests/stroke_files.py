"""Files of handwriting as they are published, in small."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.data.sources import File

ROWS = [[0, 0, 0], [3, -8, 0], [3, 8, 1], [-5, -3, 0], [4, 0, 1]]  # an A
LINES = [[[10, 90], [13, 82], [16, 90]], [[11, 87], [15, 87]]]  # the same, as places


def rows(number: int) -> list[list[int]]:
    """An A of a size of its own."""
    return [[(number + 1) * x, (number + 1) * y, pen] for x, y, pen in ROWS]


def objects(items: list[Any]) -> np.ndarray:
    """An array of objects, which NumPy pickles."""
    array = np.empty(len(items), object)
    array[:] = items
    return array


def sketches(count: int, dtype: Any = np.int16) -> np.ndarray:
    return objects([np.array(rows(number), dtype) for number in range(count)])


def xml(lines: Any = LINES) -> str:
    """A line of IAM-OnDB."""
    strokes = [
        "".join(f'<Point x="{x}" y="{y}" time="1.0"/>' for x, y in line) for line in lines
    ]  # fmt: skip
    body = "".join(f'<Stroke colour="black" start_time="1" end_time="2">{points}</Stroke>' for points in strokes)
    return f"<WhiteboardCaptureSession><WhiteboardDescription/><StrokeSet>{body}</StrokeSet></WhiteboardCaptureSession>"


def iam(folder: Path, forms: dict[str, list[str]]) -> Path:
    """A database with such forms, the texts of their lines given."""
    for form, texts in forms.items():
        inner = Path(form[:3]) / form[:7]
        for kind in ("lineStrokes", "ascii"):
            (folder / kind / inner).mkdir(parents=True, exist_ok=True)
        content = "OCR:\n\nwrong\n\nCSR:\n\n" + "\n".join(texts) + "\n"
        (folder / "ascii" / inner / f"{form}.txt").write_text(content)
        for number in range(1, len(texts) + 1):
            (folder / "lineStrokes" / inner / f"{form}-{number:02}.xml").write_text(xml())
    return folder


def quickdraw(path: Path, count: int) -> Path:
    lines = [
        {"word": "A", "drawing": [[[x for x, _ in line], [y for _, y in line]] for line in LINES], "n": n} for n in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def recorded(path: Path, texts: list[str]) -> Path:
    """A file of the recorder."""
    words = [
        {"text": text, "pad": {"width": 640, "height": 272, "baseline": 88}, "pointer": "pen",
         "strokes": [[[x, y, 1] for x, y in line] for line in LINES]}
        for text in texts
    ]  # fmt: skip
    path.write_text(json.dumps({"format": "minigrad-strokes", "version": 1, "words": words}))
    return path


def hanzi(path: Path, count: int) -> File:
    """An archive of so many characters, each a cross, and the file that it is in a table of data sets."""
    cross = {"strokes": [], "medians": [[[0, 376], [1000, 376]], [[500, 800], [500, -100]]]}
    with tarfile.open(path, "w:gz") as archive:
        for name in ("package.json", *(f"{chr(0x4E00 + number)}.json" for number in range(count))):
            content = json.dumps(cross).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    content = path.read_bytes()
    return File("hanzi.tgz", hashlib.sha256(content).hexdigest(), len(content), ())
