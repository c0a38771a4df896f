"""Names, numbers and lists of names, as the messages about data write them."""

from __future__ import annotations

from collections.abc import Sequence

LISTED = 5  # names that a message lists; the others it counts


def shown(name: object) -> str:
    """A name as one line of printable text: what no terminal or file of text takes is written as an escape.

    Example:
        >>> shown("two" + chr(10) + "lines"), shown("café")
        ('two\\\\nlines', 'café')
    """
    text = str(name)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def counted(number: float, what: str) -> str:
    """A number of things in words.

    Example:
        >>> counted(1, "image"), counted(1200, "image"), counted(0.5, "pass")
        ('1 image', '1,200 images', '0.5 passes')
    """
    plural = "es" if what.endswith("s") else "s"
    return f"{number:{',g' if isinstance(number, float) else ','}} {what}{'' if number == 1 else plural}"


def listed(names: Sequence[str], most: int = LISTED) -> str:
    """The first few names, and how many more there are.

    Example:
        >>> listed(["cat", "dog", "bird"], 2)
        'cat, dog and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
