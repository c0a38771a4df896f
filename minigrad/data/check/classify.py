"""The check of labelled images: a folder, a named set, or a published file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from minigrad.data.check import balance, copies, single
from minigrad.data.check.pictures import Picture, Unread, in_arrays, in_folder
from minigrad.data.check.report import Finding, Report
from minigrad.data.folder import Layout, find_images, lay_out
from minigrad.data.pixels import Progress
from minigrad.data.published import named_or_published


def check_images(data: Any, progress: Progress | None = None) -> Report:
    """Look through labelled images for all that spoils a classifier trained on them, or the figures that it is given.

    Found are files that cannot be read, files of odd contents, size or colours; the same picture twice, under two labels, or in
    both the training and the test part, by bytes, by pixels and nearly; and classes that are missing, small, or far apart in
    size. Nothing is changed.

    Args:
        data: a folder with one sub-folder a class, optionally below train/, val/ and test/; the name of a data set,
            ``"mnist5k"``; or a folder or file of the published MNIST, Fashion-MNIST or CIFAR-10.
        progress: called as ``progress(doing, done, total)``.

    Raises:
        DataError: there is nothing that could be checked: no such path, no class folders, no images.

    Example:
        >>> report = check_images("mnist5k")
        >>> report.size, report.about, report.errors
        (5000, '28x28 pixels, grey', 0)
    """
    given = os.fspath(data)
    published = named_or_published(given, progress)
    if published is not None:
        return _report(given, list(in_arrays(published.arrays, published.classes, progress)), None, None)
    given = os.path.expanduser(given)
    layout = lay_out(given)
    if not any(layout.images["train"].values()):
        find_images(given)  # says what is there instead
    return _report(given, list(in_folder(given, layout, progress)), layout, progress)


def _report(given: str, found: Sequence[Picture | Unread], layout: Layout | None, progress: Progress | None) -> Report:
    pictures = [picture for picture in found if isinstance(picture, Picture)]
    unread = [file for file in found if isinstance(file, Unread)]
    counts = balance.class_counts(pictures, layout)
    findings: list[Finding] = [*single.unread(unread), *copies.found(pictures, fixable=layout is not None)]
    findings += balance.found(pictures, counts)
    if layout is not None:
        findings += single.beside(given, layout)
    findings += single.odd(pictures)
    return Report(given, len(pictures), about(pictures), counts, findings)


def about(pictures: Sequence[Picture]) -> str:
    """Sizes and colours, in words."""
    if not pictures:
        return "none that can be read"
    sizes = sorted({(picture.look.width, picture.look.height) for picture in pictures}, key=lambda size: size[0] * size[1])
    smallest, largest = (f"{width}x{height}" for width, height in (sizes[0], sizes[-1]))
    colours = " and ".join(name for name, grey in (("grey", True), ("colour", False)) if any(p.grey is grey for p in pictures))
    return f"{smallest if len(sizes) == 1 else f'from {smallest} to {largest}'} pixels, {colours}"
