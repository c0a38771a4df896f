"""The page of a report: one HTML file that holds all it shows, without network, and without scripts but our own."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
import struct
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from minigrad.errors import ArgumentError, ShapeError
from minigrad.interop.atomic import write_atomically
from minigrad.show.stylesheet import stylesheet

CONTENTS_FROM = 5  # sections; a shorter page needs no table of contents
PIXELS_BELOW = 200  # pixels; a narrower image is shown magnified, with sharp pixels
LEAST = 0.75  # of a drawing's own width; where there is less room it scrolls, so that its letters stay legible
LONG_FACT = 28  # characters; a longer value has a line of its own
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # whatever the page is given, it loads and runs nothing
IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
NUMBER = re.compile(r"[+−-]?[\d.,]*\d(e[+-]?\d+)?( ?[%s×]| (ms|MB|GB|px|h|min))?|[-–—]?|nan|[+-]?inf", re.IGNORECASE)
NOT_IN_A_PICTURE = ("script", "style", "foreignObject", "iframe", "animate", "set")


def escaped(value: object) -> str:
    """A value as text for HTML and SVG: markup shown as written, and characters that no page may hold replaced.

    Example:
        >>> escaped('<b> & "quotes"')
        '&lt;b&gt; &amp; &quot;quotes&quot;'
        >>> escaped("bell \\x07, half a pair \\ud800")
        'bell \\ufffd, half a pair \\ufffd'
    """
    return html.escape("".join(map(_allowed, str(value))), quote=True)


def embedded(value: object) -> str:
    """A value as JSON that may stand between ``<script type="application/json">`` and its end, whatever texts it holds.

    Example:
        >>> embedded(["</script>"])
        '["\\\\u003c/script\\\\u003e"]'
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False).translate(IN_SCRIPT)


def source(text: str) -> str:
    """By what a page's policy knows the one script or style sheet that it lets run: its digest.

    Example:
        >>> source("")
        "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _allowed(character: str) -> str:
    if character in "\n\t":
        return character
    forbidden = unicodedata.category(character) in ("Cc", "Cs") or character in "\ufffe\uffff"
    return "\ufffd" if forbidden else character


def shown(value: object) -> str:
    """A value as a reader wants it: four digits of a float, thousands set apart, yes and no.

    Example:
        >>> [shown(value) for value in (60000, 0.123456, 1e-05, True, None, float("nan"), (3, 3))]
        ['60,000', '0.1235', '1e-5', 'yes', '–', 'nan', '3, 3']
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value)) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a number of NumPy's
        return shown(value.item())
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float) and math.isfinite(value):
        text = f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
        return re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), text).replace("-", "−", value < 0)
    return str(value)


def _column(cells: Sequence[object]) -> list[str]:
    """The cells of a column, floats with as many decimals as each other."""
    cells = [cell.item() if hasattr(cell, "item") else cell for cell in cells]
    texts = [shown(cell) for cell in cells]
    floats = {at for at, cell in enumerate(cells) if isinstance(cell, float) and "e" not in texts[at] and math.isfinite(cell)}
    decimals = max((len(texts[at].partition(".")[2]) for at in floats), default=0)
    return [f"{cells[at]:,.{decimals}f}".replace("-", "−") if at in floats else text for at, text in enumerate(texts)]


class Page:
    """A page that is built from top to bottom and written as one HTML file.

    It follows the reader's light or dark scheme, narrow and wide windows, and the printer. Every text it is given is shown
    as text, whatever signs it holds. The same calls give the same bytes.

    Args:
        title: the heading, and the name of the browser's tab.
        subtitle: a line under it.

    Example:
        >>> page = Page("Digits", "a network of 50,000 parameters")
        >>> _ = page.section("Settings").facts({"learning rate": 0.1, "epochs": 15})
        >>> "<h1>Digits</h1>" in page.html()
        True
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title, self.subtitle = title, subtitle
        self._parts: list[str] = []
        self._scripts: list[str] = []
        self._sections: list[tuple[str, str]] = []  # name of the anchor, title
        self._first = 0  # parts before the first section
        self._pictures = 0
        self._depth = 0

    def section(self, title: str, text: str = "") -> Self:
        """Begin a section; a page of five or more has a table of contents.

        Raises:
            ArgumentError: a ``details`` block is open.
        """
        if self._depth:
            raise ArgumentError("page", "section", "a section outside of details", f"{title!r} inside", "End the details first")
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
        anchor = f"section-{len(self._sections) + 1}" + (f"-{slug}" if slug else "")
        end = "</section>\n" if self._sections else ""
        self._first = self._first if self._sections else len(self._parts)
        self._sections.append((anchor, title))
        self._parts.append(f'{end}<section id="{anchor}">\n<h2>{escaped(title)}</h2>')
        return self.text(text)

    def subsection(self, title: str, text: str = "") -> Self:
        """A smaller heading inside a section.

        Raises:
            ArgumentError: there is no section yet.
        """
        if not self._sections:
            raise ArgumentError("page", "subsection", "a section before it", "none", "Call page.section(...) first")
        self._parts.append(f"<h3>{escaped(title)}</h3>")
        return self.text(text)

    def text(self, text: str) -> Self:
        """Paragraphs, set apart by blank lines; line breaks inside one are kept."""
        for paragraph in re.split(r"\n\s*\n", text.strip()):
            if paragraph:
                self._parts.append("<p>" + escaped(paragraph).replace("\n", "<br>\n") + "</p>")
        return self

    def headline(self, figures: Mapping[str, object]) -> Self:
        """The few figures that matter, large: ``{"test accuracy": "98.0 %", "parameters": 50_826}``."""
        return self._definitions("headline", figures)

    def facts(self, facts: Mapping[str, object]) -> Self:
        """Settings and the like: names and values, in as many columns as the window has room for."""
        return self._definitions("facts", facts)

    def _definitions(self, kind: str, facts: Mapping[str, object]) -> Self:
        rows = []
        for name, value in facts.items():
            long = ' class="long"' if kind == "facts" and len(shown(value)) > LONG_FACT else ""
            rows.append(f"<div{long}><dt>{escaped(name)}</dt><dd>{escaped(shown(value))}</dd></div>")
        if rows:
            self._parts.append(f'<dl class="{kind}">\n' + "\n".join(rows) + "\n</dl>")
        return self

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> Self:
        """A table that scrolls within itself where the window is narrow. Columns of numbers are set flush right.

        Args:
            header: the names of the columns.
            rows: the cells; the first of each row is its name.
            caption: a line under it.

        Raises:
            ShapeError: a row is shorter or longer than the header.
        """
        given = [list(row) for row in rows]
        for number, row in enumerate(given):
            if len(row) != len(header):
                raise ShapeError("page.table", f"row {number}", f"{len(header)} cells, one a column", f"{len(row)}")
        body = list(zip(*map(_column, zip(*given))))
        numeric = [bool(body) and all(NUMBER.fullmatch(row[column]) for row in body) for column in range(len(header))]
        kinds = [' class="number"' if flush else "" for flush in numeric]

        def line(cells: Sequence[str], tags: Iterable[str]) -> str:
            filled = (f"<{tag}{kind}>{escaped(cell)}</{tag[:2]}>" for tag, kind, cell in zip(tags, kinds, cells))
            return f"<tr>{''.join(filled)}</tr>"

        across = ['th scope="col"'] * len(header)
        down = ['th scope="row"', *["td"] * (len(header) - 1)]
        content = "\n".join(["<table>", f"<thead>{line(header, across)}</thead>", "<tbody>"])
        content = "\n".join([content, *(line(row, down) for row in body), "</tbody>", "</table>"])
        return self._figure("table", _scrolling(content, caption or f"Table: {', '.join(header)}"), caption)

    def picture(self, picture: str | bytes, caption: str = "", alt: str = "") -> Self:
        """A picture: SVG text, which becomes part of the page, or the bytes of a PNG, JPEG or GIF file.

        Args:
            picture: several ``<svg>`` elements one after the other, as ``pictures.curves`` gives them, stand side by side
                where there is room.
            caption: a line under it.
            alt: what the picture shows, for those who do not see it; SVG that has an ``aria-label`` is described by that too,
                and a picture that has neither by its caption.

        Raises:
            ArgumentError: it is none of these, or an SVG with scripts, style sheets or links to other files.
        """
        self._pictures += 1
        if isinstance(picture, bytes):
            return self._figure("picture", _image(picture, alt or caption), caption)
        drawings = _drawings(picture, f"p{self._pictures}-", alt, caption)
        if len(drawings) > 1:
            return self._figure("panels", "\n".join(drawings), caption)
        return self._figure("drawing", _scrolling(drawings[0], alt or caption or "Picture"), caption)

    def gallery(self, images: Iterable[Sequence[Any]], size: int = 112) -> Self:
        """Many small images in a grid that follows the window.

        Args:
            images: ``(bytes of a PNG, JPEG or GIF file, caption)``, or ``(bytes, caption, right)`` where ``right`` tells
                whether an answer is right: it then bears a tick or a cross.
            size: the least width of one, in pixels.

        Raises:
            ArgumentError: bytes that are no such file.
        """
        items: list[str] = []
        for image, caption, *verdict in images:
            mark = kind = ""
            if verdict and verdict[0] is not None:
                kind, mark = (' class="right"', "✓ ") if verdict[0] else (' class="wrong"', "✗ ")
            under = f"<figcaption{kind}>{mark}{escaped(caption)}</figcaption>" if caption or mark else ""
            alt = str(caption).replace("\n", ", ") or f"image {len(items) + 1}"
            items.append(f"<li><figure>{_image(image, alt)}{under}</figure></li>")
        if items:
            self._parts.append(f'<ul class="gallery" style="--size: {int(size)}px">\n' + "\n".join(items) + "\n</ul>")
        return self

    def code(self, text: str, caption: str = "") -> Self:
        """Text with its line breaks, in letters of one width: commands, configurations, traces."""
        content = f'<pre tabindex="0"><code>{escaped(text)}</code></pre>'
        return self._figure("code", content, caption)

    def sample(self, text: str, caption: str = "") -> Self:
        """A text that a model wrote: line breaks and spaces kept, long lines broken."""
        return self._figure("sample", f'<pre class="sample">{escaped(text)}</pre>', caption)

    def act(self, markup: str, script: str = "") -> Self:
        """A part with markup of our own, which is taken as it is, and a script, the only kind that the page's policy lets run.

        Args:
            markup: HTML; texts in it have gone through ``escaped``, and data for the script through ``embedded``.
            script: what runs when the part is there.
        """
        self._parts.append(markup)
        if script:
            self._scripts.append(script)
            self._parts.append(f"<script>{script}</script>")
        return self

    @contextmanager
    def details(self, summary: str, opened: bool = False) -> Iterator[Self]:
        """What is added inside ``with page.details("All settings"):`` is folded away until asked for."""
        self._parts.append(f'<details{" open" if opened else ""}><summary>{escaped(summary)}</summary><div class="inside">')
        self._depth += 1
        try:
            yield self
        finally:
            self._depth -= 1
            self._parts.append("</div></details>")

    def html(self) -> str:
        """The page so far, whole."""
        title = escaped(self.title)
        subtitle = f'\n<p class="subtitle">{escaped(self.subtitle)}</p>' if self.subtitle else ""
        runs = f"; script-src {' '.join(map(source, self._scripts))}" if self._scripts else ""
        parts = [
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}{runs}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<style>\n{stylesheet()}</style>\n</head>\n<body>",
            f"<header>\n<h1>{title}</h1>{subtitle}\n</header>",
            "<main>",
            *self._parts[: self._first],
            *self._contents(),
            *self._parts[self._first :],
            *["</div></details>"] * self._depth,
            *["</section>"] * bool(self._sections),
            "</main>\n</body>\n</html>\n",
        ]
        return "\n".join(parts)

    def write(self, path: Any) -> None:
        """Write the page to a file, whole or not at all.

        Raises:
            FileFormatError: the folder is missing or may not be written to, or the disk is full.
        """
        write_atomically("report page", path, self.html().encode("utf-8"))

    def _contents(self) -> list[str]:
        if len(self._sections) < CONTENTS_FROM:
            return []
        links = "\n".join(f'<li><a href="#{anchor}">{escaped(title)}</a></li>' for anchor, title in self._sections)
        return [f'<nav aria-label="Contents">\n<ol>\n{links}\n</ol>\n</nav>']

    def _figure(self, kind: str, content: str, caption: str) -> Self:
        under = f"\n<figcaption>{escaped(caption)}</figcaption>" if caption else ""
        self._parts.append(f'<figure><div class="{kind}">\n{content}\n</div>{under}</figure>')
        return self


def _scrolling(content: str, label: str) -> str:
    """What scrolls within itself where it is wider than the window, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(label)}">\n{content}\n</div>'


def _image(data: bytes, alt: str) -> str:
    kind = next((kind for start, kind in SIGNATURES.items() if data.startswith(start)), None)
    if kind is None:
        raise ArgumentError("page", "picture", "SVG text, or the bytes of a PNG, JPEG or GIF file", f"bytes {data[:8]!r}")
    size = ""
    if kind == "png" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])  # the header is the first chunk
        size = f' width="{width}" height="{height}"' + (' class="pixels"' if width < PIXELS_BELOW else "")
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<img src="{source}" alt="{escaped(alt)}"{size}>'


def _drawings(svg: str, prefix: str, alt: str, caption: str) -> list[str]:
    """The ``<svg>`` elements of a text, as HTML has them: no name spaces, and ids of their own."""
    body = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", svg, flags=re.DOTALL)
    try:
        roots = list(ElementTree.fromstring(f"<all>{body}</all>"))
    except ElementTree.ParseError as error:
        raise ArgumentError("page", "picture", "SVG that can be read", f"{svg[:40]!r}: {error}") from None
    if not roots or any(_local(root.tag) != "svg" for root in roots):
        raise ArgumentError("page", "picture", "<svg> elements", f"{svg[:40]!r}", "Give plain text to page.text(...)")
    drawings = []
    for number, root in enumerate(roots, 1):
        names = {value for element in root.iter() if (value := element.get("id"))}
        root.set("role", "img")
        told = [words for words in (alt, root.get("aria-label")) if words]
        root.set("aria-label", ": ".join(told) or caption or f"picture {number}")
        if len(roots) == 1 and (width := re.fullmatch(r"([\d.]+)(px)?", root.get("width", ""))):
            least = min(float(width[1]), max(320.0, LEAST * float(width[1])))
            root.set("style", f"max-width: {float(width[1]):g}px; min-width: {least:g}px")
        own = f"{prefix}{number}-"
        drawings.append("".join(_serialised(root, {name: own + name for name in sorted(names)})))
    return drawings


def _local(name: object) -> str:
    return str(name).rpartition("}")[2]


def _serialised(element: ElementTree.Element, names: dict[str, str]) -> Iterator[str]:
    tag = _local(element.tag)
    attributes = []
    for key, value in element.attrib.items():
        name = _local(key)
        if name == "id":
            value = names[value]
        elif name == "href" and value.startswith("#"):
            value = "#" + names.get(value[1:], value[1:])
        elif "url(#" in value:
            value = re.sub(r"url\(#([^)]*)\)", lambda found: f"url(#{names.get(found[1], found[1])})", value)
        outside = (name == "href" and not value.startswith(("#", "data:image/"))) or re.search(r"url\((?!#)", value)
        if tag in NOT_IN_A_PICTURE or name.lower().startswith("on") or outside:
            raise ArgumentError("page", "picture", "a drawing that needs nothing else", f"<{tag} {name}={value[:40]!r}>")
        attributes.append(f' {name}="{escaped(value)}"')
    if tag in NOT_IN_A_PICTURE:
        raise ArgumentError("page", "picture", "a drawing that needs nothing else", f"<{tag}>", "Write styles as attributes")
    if tag == "metadata":
        return
    yield f"<{tag}{''.join(attributes)}>"
    yield escaped(element.text or "")
    for child in element:
        yield from _serialised(child, names)
        yield escaped(child.tail or "")
    yield f"</{tag}>"
