"""``minigrad demo``: each system, trained small on real data, on one page."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from minigrad.cli.kernels import Kernels
from minigrad.cli.output import complain, say
from minigrad.errors import ArgumentError, DataError

# Each section: the function that trains and shows it, called with the page, the folder to work in, and the seed.
SECTIONS: dict[str, str] = {
    "classify": "minigrad.cli.demo_classify:section",
    "detect": "minigrad.cli.demo_detect:section",
    "text": "minigrad.cli.demo_text:section",
    "handwriting": "minigrad.cli.demo_handwriting:section",
    "translate": "minigrad.cli.demo_translate:section",
    "gan": "minigrad.cli.demo_gan:section",
}


def demo(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The folder to make.", show_default="runs/demo-1, or -2, ..."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="SECTION", help="Only this one; may be repeated.")] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="NUMBER", min=0, help="Of all that is random.")] = 0,
    kernels: Kernels = None,
) -> None:
    """Train each system small on real data, and show what came of it on one page.

    Takes at most 75 seconds for each. Data are fetched the first time and kept; without a network, what was kept is used.

    Example: minigrad demo --only classify
    """
    from minigrad.interop.atomic import write_atomically
    from minigrad.show.page import Page
    from minigrad.train.runs import free_name

    for name in only or []:
        if name not in SECTIONS:
            raise ArgumentError("demo", "--only", f"one of {', '.join(SECTIONS)}", repr(name))
    folder = out or free_name("runs", "demo")
    page = Page("minigrad: the demo", "What each system learned from real data on this machine, in a minute or so")
    began, shown, missing = time.monotonic(), 0, []
    for name, place in SECTIONS.items():
        if only and name not in only:
            continue
        try:
            _load(place)(page, folder / name, seed)
            shown += 1
        except DataError as error:  # no network, and nothing kept
            missing.append(str(error))
            complain(f"{name} is left out: {error}", "warning")
            page.section(name, f"Left out, as its data could not be had: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "index.html"
    write_atomically("demo", target, page.html().encode())
    say(f"{shown} of {shown + len(missing)} sections in {time.monotonic() - began:.0f} s. The page: {target}")
    if missing:
        raise typer.Exit(2)


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
