"""Checks of data before anything is trained on them: what was found, in which files, and what to do about it."""

from minigrad.data.check.classify import check_images
from minigrad.data.check.detect import check_boxes
from minigrad.data.check.gan import check_gallery
from minigrad.data.check.handwriting import check_handwriting
from minigrad.data.check.report import Finding, Item, Report
from minigrad.data.check.setaside import Aside, set_aside
from minigrad.data.check.text import check_text
from minigrad.data.check.translate import check_translate

__all__ = [
    "Aside",
    "Finding",
    "Item",
    "Report",
    "check_boxes",
    "check_gallery",
    "check_handwriting",
    "check_images",
    "check_text",
    "check_translate",
    "set_aside",
]
