"""Findings about single files: those that cannot be read, those that are odd, and those that are no images."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from minigrad.data.check.pictures import LEFT, Picture, Unread
from minigrad.data.check.report import Finding, Item, Severity
from minigrad.data.folder import Layout
from minigrad.data.passed_over import holds_runs, is_passed_over
from minigrad.data.walk import UNREAD, is_image, natural
from minigrad.data.words import counted, listed

TINY = 8  # shorter side, in pixels
STRETCHED = 4  # longer side over shorter
HUGE = 30_000_000  # pixels
_SAME_FORMAT = {"MPO": "JPEG", "DIB": "BMP"}  # the first is a JPEG with more behind it, the second a BMP without its head
_OTHER_COLOURS = ("CMYK", "YCbCr", "LAB", "HSV")
_DEEP = ("I", "F")


def unread(files: Sequence[Unread]) -> Iterator[Finding]:
    """Findings about files that the reader refuses, as training would."""
    aside = "--fix sets them aside."
    kinds = (
        ("undecodable", "cannot be decoded", f"Save them anew from the originals, or remove them; {aside}"),
        ("values", "hold values that are no brightness", f"Save them anew as PNG, scaled to 0..255; {aside}"),
        ("unreadable", "may not be read", "Mend their permissions, or the disk that they lie on; --fix leaves them alone."),
    )
    for kind, words, mend in kinds:
        of_kind = [file for file in files if file.kind == kind]
        if of_kind:
            items = tuple(Item((file.name,), file.why) for file in of_kind)
            names = () if kind == "unreadable" else tuple(file.name for file in of_kind if not file.place.is_elsewhere)
            if kind != "unreadable" and len(names) < len(of_kind):
                mend += LEFT
            verb = words.replace("hold", "holds", 1) if len(of_kind) == 1 else words
            yield Finding(kind, "error", f"{counted(len(of_kind), 'file')} {verb}", mend, items, names)


class Oddity(NamedTuple):
    """Something odd: what is said of it, and of each image (nothing where the image is not odd)."""

    kind: str
    severity: Severity
    words: str
    mend: str
    detail: Callable[[Picture], str]


def odd(pictures: Sequence[Picture], oddities: Sequence[Oddity] = ()) -> Iterator[Finding]:
    """Findings about images that can be read.

    Args:
        pictures: the images.
        oddities: what is looked for; by default all of ``ODDITIES``.
    """
    for oddity in oddities or ODDITIES:
        said = [(picture, oddity.detail(picture)) for picture in pictures]
        items = tuple(Item((picture.name,), text) for picture, text in said if text)
        if items:
            words = f"{counted(len(items), 'image')} {'is' if len(items) == 1 else 'are'} {oddity.words}"
            yield Finding(oddity.kind, oddity.severity, words, oddity.mend, items)
    yield from _colours(pictures)


def _size(picture: Picture) -> str:
    return f"{picture.look.width}x{picture.look.height} pixels"


def _blank(picture: Picture) -> str:
    return _size(picture) if picture.blank else ""


def _tiny(picture: Picture) -> str:
    return _size(picture) if min(picture.look.width, picture.look.height) < TINY else ""


def _stretched(picture: Picture) -> str:
    sides = picture.look.width, picture.look.height
    return _size(picture) if max(sides) > STRETCHED * min(sides) else ""


def _huge(picture: Picture) -> str:
    return _size(picture) if picture.look.width * picture.look.height > HUGE else ""


def _misnamed(picture: Picture) -> str:
    is_format = _SAME_FORMAT.get(picture.look.format, picture.look.format)
    says = _formats_of_suffixes().get(os.path.splitext(picture.name)[1].casefold(), "no format")
    return f"{is_format} inside, {says} by its name" if picture.place.path and says != is_format else ""


def _turned(picture: Picture) -> str:
    return f"{_size(picture)} upright" if picture.look.turned else ""


def _animated(picture: Picture) -> str:
    return picture.look.format if picture.look.animated else ""


def _transparent(picture: Picture) -> str:
    return picture.look.mode if picture.transparent else ""


def _other_colours(picture: Picture) -> str:
    return picture.look.mode if picture.look.mode in _OTHER_COLOURS else ""


def _deep(picture: Picture) -> str:
    return picture.look.mode if picture.look.mode in _DEEP or picture.look.mode.startswith("I;") else ""


_NOTHING = "Nothing needs doing:"
# fmt: off
ODDITIES = (
    Oddity("blank", "warning", "of one colour only",
            "Look at them, and remove those that show nothing.", _blank),
    Oddity("tiny", "warning", f"narrower than {TINY} pixels",
            "They are enlarged to blurs: find larger ones, or remove them.", _tiny),
    Oddity("stretched", "warning", f"more than {STRETCHED} times as long as wide",
            "Only their middle is seen: crop them to what they show.", _stretched),
    Oddity("huge", "note", f"of more than {HUGE // 1_000_000} million pixels",
            "They are shrunk whenever they are read: save them smaller to train faster.", _huge),
    Oddity("misnamed", "note", "named as another format",
            f"{_NOTHING} files are read by their contents. Rename them for other programs.", _misnamed),
    Oddity("turned", "note", "turned by an EXIF entry",
            f"{_NOTHING} they are read the way up that a viewer shows.", _turned),
    Oddity("animated", "note", "animated",
            "Their first frame is read: where another shows the thing better, save that one as an image.", _animated),
    Oddity("transparent", "note", "transparent in parts",
            f"{_NOTHING} they are laid on white. Where that is wrong, lay them on another colour.", _transparent),
    Oddity("other-colours", "note", "in other colours than red, green and blue",
            f"{_NOTHING} they are converted.", _other_colours),
    Oddity("deep", "note", "of more than 8 bits",
            f"{_NOTHING} the high 8 bits are read. Where images come out dark, scale them to 0..255.", _deep),
)
# fmt: on


def _colours(pictures: Sequence[Picture]) -> Iterator[Finding]:
    """Grey images among coloured ones: of no account where each class has both, a give-away where colour tells the class."""
    grey = [picture for picture in pictures if picture.grey]
    if not grey or len(grey) == len(pictures):
        return
    of = {label: [picture.grey for picture in pictures if picture.place.label == label] for label in labels_of(pictures)}
    only_grey = [label for label, each in of.items() if all(each)]
    only_colour = [label for label, each in of.items() if not any(each)]
    words = f"{counted(len(grey), 'image')} of {len(pictures):,} {'is' if len(grey) == 1 else 'are'} grey, the others in colour"
    if only_grey and only_colour:
        words += f"; all of {listed(only_grey, 3)} are grey, and none of {listed(only_colour, 3)}"
        mend = (
            "A network would tell these classes by colour alone: train with --set channels=1, or add images of the other kind."
        )
        yield Finding("colour-tells-class", "warning", words, mend)
    else:
        mend = "Nothing needs doing: all are read as colour. Where colour does not matter, train with --set channels=1."
        yield Finding("mixed-colours", "note", words, mend, tuple(Item((picture.name,)) for picture in grey))


def labels_of(pictures: Iterable[Picture]) -> list[str]:
    """The classes that have images, in natural order."""
    return sorted({picture.place.label for picture in pictures}, key=natural)


def beside(given: str, layout: Layout, outside: tuple[Severity, str, str] | None = None) -> Iterator[Finding]:
    """Findings about the files of a folder that are none of its images.

    Args:
        given: the folder.
        layout: its images.
        outside: severity, words and mend for other images; by default those of images that lie in no class folder.
    """
    images = {path for classes in layout.images.values() for paths in classes.values() for path in paths}
    kinds: dict[str, list[str]] = {"outside": [], "unread-format": [], "not-images": [], "junk": []}
    for folder, folders, files in os.walk(given):
        hidden = [name for name in folders if is_passed_over(name)]
        shown = set(folders) - set(hidden)
        folders[:] = sorted(name for name in shown if not holds_runs(os.path.join(folder, name)))
        for name in sorted(files):
            path = os.path.join(folder, name)
            if path not in images:
                kinds[_kind_beside(path, name)].append(os.path.relpath(path, given).replace(os.sep, "/"))
        kinds["junk"] += [os.path.relpath(os.path.join(folder, name), given).replace(os.sep, "/") + "/" for name in hidden]
    left_out = "as they are, they are left out."
    alone = "Nothing needs doing: they are left out, and --fix leaves them alone."
    told: dict[str, tuple[Severity, str, str]] = {
        "outside": outside or ("warning", "{} outside the class folders", f"Put each into the folder of its class; {left_out}"),
        "unread-format": ("warning", "{} of image formats that are not read", f"Save them as JPEG or PNG; {left_out}"),
        "not-images": ("note", "{} no images", alone),
        "junk": ("note", "{} hidden, or left behind by the system", alone),
    }
    for kind, (severity, words, mend) in told.items():
        names = sorted(kinds[kind], key=natural)
        if names:
            count = f"{counted(len(names), 'file')} {'is' if len(names) == 1 else 'are'}"
            yield Finding(kind, severity, words.format(count), mend, tuple(Item((name,)) for name in names))


def _kind_beside(path: str, name: str) -> str:
    if is_passed_over(name):
        return "junk"
    if is_image(path):
        return "outside"
    return "unread-format" if os.path.splitext(name)[1].casefold() in UNREAD else "not-images"


@functools.cache
def _formats_of_suffixes() -> dict[str, str]:
    """``.jpg`` -> ``JPEG``, of all formats that Pillow knows."""
    from PIL import Image

    return {suffix: _SAME_FORMAT.get(name, name) for suffix, name in Image.registered_extensions().items()}
