"""Boxes and masks in COCO's JSON of object instances."""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections import Counter
from typing import Any

from minigrad.data.boxlist import Drawn, Files, Listing, Photo, part_named
from minigrad.data.masks import outline_box
from minigrad.data.words import counted, listed, shown
from minigrad.errors import DataError

LARGEST = 1 << 30  # bytes of a file


def read_json(path: str, name: str) -> Any:
    """What a JSON file holds.

    Raises:
        DataError: it is none, too large, or nested too deep.
    """
    try:
        if os.path.getsize(path) > LARGEST:
            raise DataError("data", name, f"a file of at most {LARGEST:,} bytes", "a larger one", "Split it")
        with open(path, "rb") as file:
            return json.loads(file.read())
    except RecursionError:
        raise DataError("data", name, "JSON", "lists nested too deep") from None
    except (ValueError, UnicodeError) as error:
        raise DataError("data", name, "JSON", shown(str(error)[:100])) from None
    except OSError as error:
        raise DataError("data", name, "a file that can be read", error.strerror or str(error)) from None


def read_coco(files: Files, names: list[str], asked: bool = False) -> Listing | None:
    """The boxes of JSON files; None where none of them is of COCO's form.

    Args:
        files: all files of the folder.
        names: of the JSON files, relative to it.
        asked: whether the user named the file, so that one without boxes is a fault.
    """
    listing = Listing("COCO", files.top)
    instances = [name for name in names if os.path.basename(name).startswith("instances")]
    unfit = []
    for name in instances or names:
        try:
            held = read_json(os.path.join(files.top, name), shown(name))
        except DataError as error:
            unfit.append((name, error.got))
            continue
        if not isinstance(held, dict) or not all(isinstance(held.get(key), list) for key in ("images", "annotations")):
            unfit.append((name, "no lists of images and annotations"))
            continue
        listing.sources.append(name)
        _one(listing, files, name, held)
    coco = bool(listing.sources)
    for name, got in unfit if coco or asked else []:
        if asked or got != "no lists of images and annotations":
            listing.fault("annotations", name, got)
    return listing if coco or (asked and listing.faults) else None


def _one(listing: Listing, files: Files, name: str, held: dict[str, Any]) -> None:
    labels = _categories(listing, name, held.get("categories"))
    photos: dict[Any, Photo | None] = {}
    called_by: dict[Any, set[str]] = {}
    for image in held["images"]:
        if isinstance(image, dict) and isinstance(image.get("file_name"), str):
            called_by.setdefault(_key(image.get("id")), set()).add(image["file_name"])
    for number, image in enumerate(held["images"], 1):
        place = f"{name}, image {number}"
        key, called = (_key(image.get("id")), image.get("file_name")) if isinstance(image, dict) else (None, None)
        if key is None or not isinstance(called, str):
            listing.fault("annotations", place, f"no id and file_name: {_short(image)}")
            continue
        if len(called_by[key]) > 1:
            listing.fault("annotations", place, f"{called} has the id {_short(key)}, as another image has", called)
            photos[key] = None
            continue
        path = files.find(called, name)
        if isinstance(path, DataError):
            listing.fault("unknown-image", place, f"{called}: {path.got}", called)
            photos[key] = None
            continue
        part = part_named(name) or part_named(os.path.relpath(path, files.top).replace(os.sep, "/"))
        sides = image.get("width"), image.get("height")
        whole = all(isinstance(side, int) and not isinstance(side, bool) and 1 <= side < 1 << 31 for side in sides)
        photos[key] = listing.photo(path, part, place, sides if whole else None)
    strays: Counter[Any] = Counter()
    for number, item in enumerate(held["annotations"], 1):
        if not isinstance(item, dict):
            listing.fault("annotations", f"{name}, annotation {number}", f"no object: {_short(item)}")
            continue
        place = f"{name}, annotation {number} (id {_short(item.get('id'))})"
        of = _key(item.get("image_id"))
        if of is None or of not in photos:
            strays[_short(item.get("image_id"))] += 1
            continue
        photo = photos[of]
        if photo is None:
            continue
        box, label = item.get("bbox"), labels.get(_key(item.get("category_id")))
        mask = item.get("segmentation") or None
        if not box and mask is not None:
            try:
                box = outline_box(mask, place)
            except DataError as error:
                listing.fault("no-numbers", place, f"no bbox, and as its segmentation {error.got}", photo.name)
                continue
        corners = [_number(value) for value in box] if isinstance(box, list) else []
        if len(corners) != 4 or not all(map(math.isfinite, corners)):
            listing.fault("no-numbers", place, "no bbox" if box is None else _short(box), photo.name)
        elif label is None:
            listing.fault("no-label", place, f"category {_short(item.get('category_id'))}", photo.name)
        else:
            x, y, width, height = corners
            photo.boxes.append(Drawn(place, (x, y, x + width, y + height), label, item.get("iscrowd") == 1, mask))
    for image_id, number in strays.items():
        detail = f"{counted(number, 'annotation')} of image {image_id}, which it does not list"
        listing.fault("unknown-image", name, detail, image_id)


def _categories(listing: Listing, name: str, given: Any) -> dict[Any, str]:
    """id -> name, of ids with one name; and the order of the names is that of the ids."""
    labels: dict[Any, str] = {}
    names: dict[Any, set[str]] = {}
    for category in given if isinstance(given, list) else []:
        key, label = (_key(category.get("id")), category.get("name")) if isinstance(category, dict) else (None, None)
        if key is None or not isinstance(label, str) or not label.strip():
            listing.fault("annotations", name, f"a category without id and name: {_short(category)}")
        else:
            labels[key] = " ".join(label.split())
            names.setdefault(key, set()).add(labels[key])
    for key, several in names.items():
        if len(several) > 1:
            listing.fault("annotations", name, f"the category id {_short(key)} has several names, {listed(sorted(several))}")
            del labels[key]
    ordered = sorted(labels, key=lambda key: (isinstance(key, str), key))
    listing.order += [labels[key] for key in ordered if labels[key] not in listing.order]
    return labels


def _key(value: Any) -> Any:
    """An id, a number or a text; None where it is neither."""
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _short(value: Any) -> str:
    return shown(reprlib.repr(value))[:60]


__all__ = ["read_coco", "read_json"]
