"""The check of images to learn to make more of: a folder in any order, a named set, or a published file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.data.check import copies, single
from minigrad.data.check.classify import about
from minigrad.data.check.likeness import FLAT
from minigrad.data.check.pictures import Picture, Unread, in_arrays, in_folder
from minigrad.data.check.report import Finding, Item, Report, Severity
from minigrad.data.decode import decode, quiet_pictures
from minigrad.data.folder import Layout
from minigrad.data.gallery import FEW, LEAST, ONE, open_plain, open_signs
from minigrad.data.images import ImageArrays
from minigrad.data.pixels import Progress, in_threads
from minigrad.data.policy import gallery_size
from minigrad.data.unsorted import find_gallery, search
from minigrad.data.walk import natural
from minigrad.data.words import counted

_OUTSIDE: tuple[Severity, str, str] = (
    "note",
    "{} in a test part",
    "Nothing needs doing: they are left alone, and not looked at.",
)
HERE = "."  # the group of images that lie in the folder itself


def check_gallery(data: Any, progress: Progress | None = None) -> Report:
    """Look through images for all that spoils a network that learns to make more of them.

    Found are files that cannot be read, files of odd contents, size or colours, images that show nothing or next to nothing,
    images much smaller than the others, and the same picture twice, by bytes, by pixels and nearly. Nothing is changed.

    Args:
        data: what ``open_gallery`` takes.
        progress: called as ``progress(doing, done, total)``.

    Raises:
        DataError: there is nothing that could be checked: no such path, no images.

    Example:
        >>> report = check_gallery("mnist5k")
        >>> report.size, report.about, report.errors
        (4000, '28x28 pixels, grey', 0)
    """
    given = os.fspath(data)
    held = _held(given, progress)
    if held is not None:
        arrays, names = held
        return _report(given, list(in_arrays(arrays, ONE, progress, names)), None)
    found = search(given)
    if not found.images:
        find_gallery(given)  # says what is there instead
    given = os.path.expanduser(given)
    layout = Layout(found.folder, {"train": found.folder}, {"train": {ONE[0]: found.images}})
    return _report(given, list(in_folder(given, layout, progress)), layout)


def _held(given: str, progress: Progress | None) -> tuple[ImageArrays, Sequence[str]] | None:
    """The images of a named or published set, all of one label, and names that they have; None where it is a folder."""
    plain, names = open_plain(given, progress), []
    if plain is not None:
        images = plain.images
    else:
        signs = open_signs(given, progress)
        if signs is None:
            return None
        names = [file.name for file in signs.files]
        with quiet_pictures():
            images = np.stack(list(in_threads(lambda file: decode(file.name, file.path), signs.files)))
    labels = np.zeros(len(images), np.int64)
    return ImageArrays(images, labels, images[:0], labels[:0]), names


def _report(given: str, found: Sequence[Picture | Unread], layout: Layout | None) -> Report:
    pictures = [picture for picture in found if isinstance(picture, Picture)]
    unread = [file for file in found if isinstance(file, Unread)]
    findings: list[Finding] = [*single.unread(unread), *_few(pictures)]
    findings += copies.found(pictures, fixable=layout is not None, classes=False)
    findings += _small(pictures)
    if layout is not None:
        findings += single.beside(given, layout, _OUTSIDE)
    findings += single.odd(pictures, (*single.ODDITIES, _FAINT))
    folders = Counter(os.path.dirname(picture.name) or HERE for picture in pictures)
    counts = {"train": {name: folders[name] for name in sorted(folders, key=natural)}}
    return Report(given, len(pictures), about(pictures), counts, findings, group="folder")


def _few(pictures: Sequence[Picture]) -> Iterator[Finding]:
    """Whether there are images enough."""
    different = len({picture.pixels for picture in pictures})
    if different < LEAST:
        words = f"{counted(different, 'different image')} to learn from: training wants at least {LEAST}"
        yield Finding("too-few", "error", words, f"Add images: {FEW} that are alike are little, some thousands are good.")
    elif different < FEW:
        words = f"{different:,} different images are few: a network will learn them by heart"
        yield Finding("few", "warning", words, f"Add images that are alike: {FEW} are little, some thousands are good.")


def _small(pictures: Sequence[Picture]) -> Iterator[Finding]:
    """Images of less than half the pixels a side that all are brought to."""
    if not pictures:
        return
    side = min(gallery_size([picture.look for picture in pictures]))
    items = tuple(
        Item((picture.name,), f"{picture.look.width}x{picture.look.height} pixels")
        for picture in pictures
        if single.TINY <= min(picture.look.width, picture.look.height) < side / 2
    )
    if items:
        words = (
            f"{counted(len(items), 'image')} {'has' if len(items) == 1 else 'have'} less than half of the {side} pixels a side"
        )
        mend = "They are enlarged, and blurs are learned from blurs: find larger ones, or remove them."
        yield Finding("small", "warning", f"{words} that all are brought to", mend, items)


def _faint(picture: Picture) -> str:
    contrast = float(picture.thumbnail.astype(np.float32).std((1, 2)).max())
    return f"a contrast of {contrast:.1f} levels of 255" if contrast < FLAT and not picture.blank else ""


_FAINT = single.Oddity(
    "faint", "warning", "nearly of one colour", "Look at them, and remove those that show nothing.", _faint
)  # fmt: skip
