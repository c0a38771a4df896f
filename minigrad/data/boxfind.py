"""Which files of boxes a path holds, and what they say: Pascal VOC, COCO or tables, found by what is in them."""

from __future__ import annotations

import os

from minigrad.data.boxcoco import read_coco
from minigrad.data.boxcsv import read_csv
from minigrad.data.boxlist import Files, Listing, unlisted
from minigrad.data.boxvoc import read_voc
from minigrad.data.walk import Walk
from minigrad.data.words import counted, listed, shown
from minigrad.errors import DataError

LAYOUT = "photos with boxes: Pascal VOC's XML files, COCO's JSON or a table path,x1,y1,x2,y2,class"
HOW = "Put the photos and the files of their boxes into one folder, in sub-folders or not"
_FOLDERS = ("annotations", "annotation", "labels", "boxes")  # beside the photos, mostly


class _Path(Walk):
    """What is said where there is no such path."""

    layout, how, folder, sought = LAYOUT, HOW, "the folder that holds photos and boxes", "photos with boxes"
    kinds = ("boxes",)


def find_boxes(path: str) -> Listing:
    """What the files of boxes at a path say; nothing is judged and no photo decoded here.

    Of a folder with several forms COCO's is taken, else Pascal VOC's, else tables; what is left alone is told in the notes.

    Args:
        path: a folder, in which files lie in any way; or a file of boxes, whose photos lie beside it, below it, or below the
            folder above.

    Raises:
        DataError: nothing there holds boxes.

    Example:
        >>> from PIL import Image
        >>> os.makedirs("birds")
        >>> Image.new("RGB", (60, 40)).save("birds/1.png")
        >>> with open("birds/boxes.csv", "w") as table:
        ...     _ = table.write("1.png,10,5,30,25,wren")
        >>> listing = find_boxes("birds")
        >>> listing.form, [photo.name for photo in listing.photos.values()]
        ('CSV', ['1.png'])
    """
    given = os.path.expanduser(path)
    if os.path.isfile(given):
        listing = _of_file(path, given)
    else:
        _Path(path).check_path()
        listing = _of_folder(path, Files(given))
    return listing


def _of_file(path: str, given: str) -> Listing:
    folder, name = os.path.split(os.path.abspath(given))
    if os.path.basename(folder).casefold() in _FOLDERS:
        name = f"{os.path.basename(folder)}/{name}"
        folder = os.path.dirname(folder)
    files = Files(folder)
    kind = _kind(given)
    found = {"xml": read_voc, "json": lambda f, n: read_coco(f, n, True), "table": lambda f, n: read_csv(f, n, True)}[kind](
        files, [name]
    )
    if found is None:
        raise DataError("data", shown(path), LAYOUT, f"{kind} of something else", HOW)
    return _noted(path, found, files, [])


def _kind(path: str) -> str:
    """Which form a file has, by its suffix or else by its first sign."""
    suffix = os.path.splitext(path)[1].casefold()
    if suffix in (".xml", ".json"):
        return suffix[1:]
    try:
        with open(path, "rb") as file:
            head = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    except OSError as error:
        raise DataError("data", shown(path), "a file that may be read", error.strerror or str(error)) from None
    return {b"{": "json", b"<": "xml"}.get(head, "table")


def _of_folder(path: str, files: Files) -> Listing:
    given = files.annotations
    forms = {
        "COCO": read_coco(files, given[".json"]),
        "Pascal VOC": read_voc(files, given[".xml"], not (given[".csv"] or given[".json"])),
        "CSV": read_csv(files, given[".csv"]),
    }
    found = [(form, listing) for form, listing in forms.items() if listing is not None]
    if not found:
        raise DataError("data", shown(path), LAYOUT, _instead(files), HOW)
    return _noted(path, found[0][1], files, [form for form, _ in found[1:]])


def _noted(path: str, listing: Listing, files: Files, others: list[str]) -> Listing:
    """The listing with what else there is to say of the folder.

    Raises:
        DataError: no photo that is there is named.
    """
    if not listing.photos:
        told = "; ".join(map(str, listing.faults[:5]))
        got = f"none: {told}" if told else "none"
        raise DataError("data", shown(path), "at least one photo that the boxes are of", got, HOW)
    if others:
        listing.notes.append(f"boxes of another form left alone: {' and '.join(others)}. Name the file to have them")
    left = unlisted(files, listing.photos.values())
    if left:
        listing.notes.append(
            f"{counted(len(left), 'image')} without a row left out, as nobody knows whether anything is on them:"
            f" {listed([shown(name) for name in left], 3)}."
            " List one without boxes to have it as an empty one"
        )
    return listing


def _instead(files: Files) -> str:
    held = [f"{counted(len(files.images), 'image')}"] if files.images else ["no images"]
    held += [f"{len(names):,} {suffix} files" for suffix, names in files.annotations.items() if names]
    text = ", ".join(held) + " and no boxes"
    stems = {os.path.splitext(os.path.basename(name))[0] for name in files.annotations[".txt"]}
    if any(os.path.splitext(os.path.basename(image))[0] in stems for image in files.images[:100]):
        text += " (text files beside the images look like YOLO's: save them as COCO or Pascal VOC)"
    given = files.annotations
    asked = (read_coco(files, given[".json"], True), read_csv(files, given[".csv"], True))
    why = [str(fault) for listing in asked if listing is not None for fault in listing.faults]
    return text + (f": {listed(why, 3)}" if why else "")


__all__ = ["LAYOUT", "find_boxes"]
