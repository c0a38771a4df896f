"""``minigrad export``: a trained model as files that other programs run, held against the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from minigrad.cli.output import complain, say, say_json
from minigrad.cli.train import Json, Model
from minigrad.errors import ArgumentError

WHERE = "export"
SUFFIX = ".onnx"
HELP = """\
Write a trained model as ONNX, which many programs run: in browsers, on telephones, in other languages.

A classifier, a generator, or one step of a text, of handwriting or of a translation, of which the sentence's encoder is a \
file of its own, as are a detector's heads. What goes in and comes out is told; classes, vocabularies and the like stand in \
the file's metadata.

Before a file is written, it is run in onnxruntime beside the model, on random inputs of several sizes. It takes the \
libraries of the extra onnx.

Example: minigrad export runs/classify-photos-1 --onnx photos.onnx
"""


def export(
    model: Model,
    onnx: Annotated[
        Path,
        typer.Option("--onnx", metavar="FILE", help="The file to make; of a translator or detector FILE-encoder and so on."),
    ],
    json: Json = False,
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    if onnx.suffix != SUFFIX:
        raise ArgumentError(WHERE, "--onnx", f"a file name that ends in {SUFFIX}", repr(str(onnx)))
    from minigrad.interop.atomic import check_place, write_atomically
    from minigrad.interop.onnx_export import has_runtime
    from minigrad.interop.onnx_graph import library
    from minigrad.models.exported import pieces

    check_place(WHERE, onnx)
    library("onnx", "writes the file")
    made = [(piece, piece.export()) for piece in pieces(model)]
    checked = has_runtime()
    found = [piece.compare(exported) if checked else None for piece, exported in made]
    told = []
    for (piece, exported), comparison in zip(made, found):
        path = onnx.with_name(f"{onnx.stem}-{piece.part}{SUFFIX}") if piece.part else onnx
        write_atomically(WHERE, path, exported.model)
        told.append(_told(path, exported, comparison))
        if not json:
            _say(told[-1])
    if json:
        say_json({"files": told})
    if not checked:
        complain("not checked: onnxruntime is not installed. Run pip install 'minigrad-engine[onnx]'", "warning")


def _told(path: Path, exported: Any, comparison: Any) -> dict[str, Any]:
    """One file as plain data."""
    from minigrad.interop.onnx_table import OPSET

    return {
        "file": str(path),
        "bytes": len(exported.model),
        "opset": OPSET,
        "inputs": {one.name: {"dtype": str(one.kind), "shape": list(one.shape)} for one in exported.inputs},
        "outputs": list(exported.outputs),
        "free": list(exported.sizes),
        "fixed": {name: {"size": size, "because": reason} for name, (size, reason) in exported.fixed.items()},
        "checked": None if comparison is None else comparison._asdict(),
    }


def _say(told: dict[str, Any]) -> None:
    """The same in words."""
    say(f"{told['file']}: {told['bytes'] / 1e6:.1f} MB, opset {told['opset']}")
    for name, about in told["inputs"].items():
        say(f"  takes {name}: {about['dtype']} ({', '.join(map(str, about['shape']))})")
    say(f"  gives {', '.join(told['outputs'])}")
    for name, about in told["fixed"].items():
        say(f"  {name} is fixed at {about['size']}: {about['because']}")
    if told["checked"] is not None:
        apart, largest, sizes = (told["checked"][key] for key in ("difference", "largest", "sizes"))
        runs = "; ".join(", ".join(f"{name} = {size}" for name, size in run.items()) for run in sizes)
        say(f"  in onnxruntime the same but for {apart:.1e}, of numbers up to {largest:.3g}" + (f" ({runs})" if runs else ""))
