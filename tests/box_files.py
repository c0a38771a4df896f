"""Photos with boxes in small, written in each form that is read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from minigrad.data.detection import judged_boxes

WIDTH, HEIGHT = 60, 40
HEADER = "image_path,xmin,ymin,xmax,ymax,label"
Box = tuple[Any, Any, Any, Any, str]
Boxes = Mapping[str, Sequence[Box]]
BIRDS: dict[str, list[Box]] = {
    "a.png": [(10, 5, 30, 25, "wren"), (40, 20, 55, 38, "robin")],
    "b.png": [(0, 0, 60, 40, "robin")],
    "c.png": [],
    "d.png": [(5, 5, 25, 20, "wren")],
    "e.png": [(30, 10, 50, 30, "wren")],
}
SOUND = {"z.png": [(1, 2, 30, 31, "wren")], "y.png": [(3, 2, 30, 31, "wren")]}


def photo(path: Path, width: int = WIDTH, height: int = HEIGHT, seed: int | None = None) -> Path:
    """A photo of coarse noise, of its own for each name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(path.name.encode()) if seed is None else seed)
    Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)).resize((width, height)).save(path)
    return path


def photos(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        photo(folder / name)
    return folder


def xml(
    name: str, boxes: Sequence[Box], size: tuple[int, int] | None = (WIDTH, HEIGHT), head: str = "", extra: str = ""
) -> str:
    objects = "".join(
        f"<object><name>{label}</name>{extra}<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
        "</bndbox></object>"
        for x1, y1, x2, y2, label in boxes
    )
    told = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>" if size else ""
    return f"{head}<annotation><folder>photos</folder><filename>{name}</filename>{told}{objects}</annotation>"


def voc(folder: Path, boxes: Boxes, beside: str = "") -> Path:
    """A folder of Pascal VOC; ``beside`` is a sub-folder for the XML files."""
    photos(folder, list(boxes))
    for name, drawn in boxes.items():
        path = folder / beside / f"{Path(name).stem}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(xml(name, drawn))
    return folder


def coco_of(boxes: Boxes, masks: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a file of COCO holds; ``masks`` are by "photo number of box"."""
    labels = sorted({box[4] for drawn in boxes.values() for box in drawn})
    annotations = []
    for image, (name, drawn) in enumerate(boxes.items()):
        for number, (x1, y1, x2, y2, label) in enumerate(drawn):
            entry = {"id": len(annotations), "image_id": image, "category_id": 10 + labels.index(label), "iscrowd": 0}
            entry["bbox"] = [x1, y1, x2 - x1, y2 - y1]
            entry["segmentation"] = (masks or {}).get(f"{name} {number}", [])
            annotations.append(entry)
    images = [{"id": i, "file_name": name, "width": WIDTH, "height": HEIGHT} for i, name in enumerate(boxes)]
    categories = [{"id": 10 + k, "name": label} for k, label in enumerate(labels)]
    return {"images": images, "annotations": annotations, "categories": categories}


def coco(folder: Path, boxes: Boxes, name: str = "instances.json", masks: Mapping[str, Any] | None = None) -> Path:
    photos(folder, list(boxes))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(coco_of(boxes, masks)))
    return folder


def outlines_of(boxes: Boxes) -> dict[str, Any]:
    """The edge of each box as a polygon, as ``coco`` takes masks."""
    return {
        f"{name} {number}": [[x1, y1, x2, y1, x2, y2, x1, y2]]
        for name, drawn in boxes.items()
        for number, (x1, y1, x2, y2, _) in enumerate(drawn)
    }


def table(folder: Path, boxes: Boxes, header: str = "", name: str = "boxes.csv", empty: str = ",,,,") -> Path:
    photos(folder, list(boxes))
    lines = [header] if header else []
    for image, drawn in boxes.items():
        lines += [f"{image},{x1},{y1},{x2},{y2},{label}" for x1, y1, x2, y2, label in drawn] or [f"{image},{empty},"]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def all_boxes(path: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    judged, _ = judged_boxes(str(path))
    return {
        photo.name: sorted((*box, judged.classes[label]) for box, label in zip(photo.boxes.tolist(), photo.labels.tolist()))
        for photo in judged.photos
    }


def faults_of(path: Path | str) -> list[tuple[str, str]]:
    """Kind and place of all faults."""
    return [(fault.kind, fault.place) for fault in judged_boxes(str(path))[0].faults]


def painted_over(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """The box around all pixels that are white, seen one by one."""
    seen = [(x, y) for y, row in enumerate(pixels.tolist()) for x, value in enumerate(row) if value == 255]
    xs, ys = zip(*seen)
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1
