"""A sheet to draw on with matplotlib: as SVG in the page's own colours and fonts, or as a PNG in the light ones.

Nothing of matplotlib's global state is changed or relied on: no pyplot, settings for the time of drawing only. Colours are
drawn as stand-ins and written as CSS variables afterwards, so that one SVG serves light and dark; texts likewise, so that
any script may stand in them without a font that has it.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigrad.show.page import escaped
from minigrad.show.stylesheet import LIGHT

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
MARGIN = 16  # units, around a PNG; a page has its own
NARROW, WIDE = frozenset("ijltfrI.,:;'|!()[] "), frozenset("mwMW@%&<>=+~#_")
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "minigrad", "path.simplify": False, "axes.unicode_minus": True}


def width_of(text: str, size: float) -> float:
    """About the width of a text whose letters are ``size`` high, in the same unit; rather too wide than too narrow.

    Example:
        >>> width_of("cat", 10) < width_of("mouse", 10) < width_of("文文文文文", 10)
        True
    """
    return size * sum(map(_share, text))


def _share(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 1.05
    if character in NARROW:
        return 0.36
    return 0.9 if character in WIDE else 0.7 if character.isupper() else 0.6


def shortened(text: str, size: float, room: float) -> str:
    """The text on one line, or its beginning and an ellipsis where it is wider than ``room``.

    Example:
        >>> shortened("a long name", 10, 40), shortened("cat", 10, 40)
        ('a long…', 'cat')
    """
    text = " ".join(text.split())
    if width_of(text, size) <= room:
        return text
    kept = text
    while kept and width_of(kept + "…", size) > room:
        kept = kept[:-1]
    return kept.rstrip("\u200d ") + "…"


class Sheet:
    """A drawing of ``width`` x ``height`` units, a unit being a pixel of CSS; the origin is the upper left corner.

    Example:
        >>> sheet = Sheet(100, 20)
        >>> sheet.text(0, 15, "<cat>")
        >>> "&lt;cat&gt;</text>" in sheet.svg("a name")
        True
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._steps: list[Callable[[Ink], None]] = []

    def axes(self, left: float, top: float, right: float, bottom: float, draw: Callable[[Any, Ink], None]) -> None:
        """Let ``draw(axes, ink)`` draw on bare matplotlib axes between these edges, in the colours of ``ink``."""

        def step(ink: Ink) -> None:
            box = (left / self.width, 1 - bottom / self.height, (right - left) / self.width, (bottom - top) / self.height)
            axes = ink.figure.add_axes(box)
            axes.set(zorder=10)  # above the lines and boxes drawn on the sheet itself
            axes.set_axis_off()
            draw(axes, ink)

        self._steps.append(step)

    def text(
        self, x: float, y: float, text: str, *, size: float = 12, colour: str = "ink", align: str = "left", bold: bool = False,
        turn: float = 0, instead: str = "",
    ) -> None:  # fmt: skip
        """A line of text whose baseline begins, has its middle or ends at (x, y).

        Args:
            x, y: the place.
            text: any text.
            size: height of the letters.
            colour: a colour of the style sheet.
            align: ``"left"``, ``"center"`` or ``"right"``.
            bold: heavier letters.
            turn: degrees, counter-clockwise.
            instead: what a PNG shows where its font lacks a letter of ``text``.
        """

        def step(ink: Ink) -> None:
            ink.figure.text(
                x / self.width, 1 - y / self.height, ink.text(text, instead), size=size, color=ink[colour], ha=align,
                va="baseline", weight="bold" if bold else "normal", rotation=turn, rotation_mode="anchor", parse_math=False,
            )  # fmt: skip

        self._steps.append(step)

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: str = "rule", width: float = 1.0) -> None:
        """A line through points of the sheet."""

        def step(ink: Ink) -> None:
            from matplotlib.lines import Line2D

            places = [x / self.width for x in xs], [1 - y / self.height for y in ys]
            line = Line2D(*places, color=ink[colour], lw=width, transform=ink.figure.transFigure, solid_capstyle="butt")
            ink.figure.add_artist(line)

        self._steps.append(step)

    def box(self, x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0) -> None:
        """A filled rectangle with its upper left corner at (x, y)."""

        def step(ink: Ink) -> None:
            from matplotlib.patches import Rectangle

            corner, size = (x / self.width, 1 - (y + height) / self.height), (width / self.width, height / self.height)
            shape = Rectangle(corner, *size, facecolor=ink[colour], edgecolor="none", alpha=opacity)
            shape.set_transform(ink.figure.transFigure)
            ink.figure.add_artist(shape)

        self._steps.append(step)

    def _drawn(self, vector: bool) -> Ink:
        from matplotlib.figure import Figure

        ink = Ink(Figure(figsize=(self.width / 72, self.height / 72), dpi=72), vector)
        ink.figure.patch.set_visible(not vector)
        ink.figure.patch.set_facecolor(LIGHT["paper"])
        for step in self._steps:
            step(ink)
        return ink

    def svg(self, label: str) -> str:
        """The drawing as one ``<svg>`` element, to be part of a page or a file of its own.

        Args:
            label: what it shows, for those who do not see it.
        """
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        out = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with _settings():
            ink = self._drawn(vector=True)
            FigureCanvasSVG(ink.figure).print_svg(out, metadata=nothing)
        width, height = (f"{size:g}" for size in (self.width, self.height))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img" aria-label="{escaped(label)}" font-family="{FONTS}"'
            f' stroke-linejoin="round" stroke-linecap="butt">\n{_tidied(out.getvalue(), ink.texts)}\n</svg>'
        )

    def png(self, scale: float = 2.0) -> bytes:
        """The drawing as a PNG file on light paper with a margin, ``scale`` pixels a unit."""
        import numpy as np
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image, ImageOps

        with _settings():
            ink = self._drawn(vector=False)
            ink.figure.set_dpi(72 * scale)
            canvas = FigureCanvasAgg(ink.figure)
            canvas.draw()
            pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        out = io.BytesIO()
        ImageOps.expand(Image.fromarray(pixels), round(MARGIN * scale), LIGHT["paper"]).save(out, format="PNG")
        return out.getvalue()


class Ink:
    """A matplotlib figure and what it is drawn with: stand-ins for colours and texts in SVG, the things themselves in PNG."""

    def __init__(self, figure: Any, vector: bool) -> None:
        self.figure, self.vector = figure, vector
        self.texts: list[str] = []

    def __getitem__(self, colour: str) -> str:
        return f"#0101{list(LIGHT).index(colour):02x}" if self.vector else LIGHT[colour]

    def text(self, text: str, instead: str = "") -> str:
        """What to give matplotlib for a text."""
        if not self.vector:
            return _drawable(text, instead)
        self.texts.append(text)
        return f"@{len(self.texts) - 1}@"


def _tidied(drawing: str, texts: list[str]) -> str:
    """The inside of matplotlib's ``<svg>``: no ids but those referred to, the page's fonts, colours and texts put in."""
    drawing = drawing[drawing.index("<svg") :]
    drawing = drawing[drawing.index(">") + 1 : drawing.rindex("</svg>")]
    drawing = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"<defs>\s*</defs>", "", drawing)
    used = {name for pair in re.findall(r"#([\w-]+)\)|href=\"#([\w-]+)\"", drawing) for name in pair}
    drawing = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", drawing)
    drawing = re.sub(r"font: (?:(\d+) )?([\d.]+px) [^;\"]*", r"font-weight: \1; font-size: \2", drawing)  # matplotlib 3.9
    drawing = re.sub(r"font-weight: ; |; font-family: [^;\"]*| transform=\"rotate\(-?0 [^)]*\)\"", "", drawing)
    drawing = re.sub(r"#0101([0-9a-f]{2})", lambda found: _variable(int(found[1], 16)), drawing)
    drawing = re.sub(r"@(\d+)@", lambda found: escaped(texts[int(found[1])]), drawing)
    return re.sub(r"\s*\n\s*", "\n", drawing).strip()


def _variable(number: int) -> str:
    name = list(LIGHT)[number]
    return f"var(--{name}, {LIGHT[name]})"


@contextmanager
def _settings() -> Iterator[None]:
    """Matplotlib as it comes, whatever the user's settings, for as long as something is drawn."""
    import matplotlib

    defaults: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    left_alone = ("backend", "date.epoch")  # not matters of style
    plain = {key: value for key, value in defaults.items() if not key.startswith(left_alone)}
    with matplotlib.rc_context(plain | SETTINGS):
        yield


def _drawable(text: str, instead: str) -> str:
    """The text if matplotlib's own font has all its letters, else ``instead``, or the text with question marks for them."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    shown = [letter if font.get_char_index(ord(letter)) else "?" for letter in text]
    return instead if instead and "?" in shown and "?" not in text else "".join(shown)
