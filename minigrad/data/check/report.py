"""What a check of data found: findings with their files and their mend, and how much there is of each class or file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Item:
    """Files that belong together in a finding, most often one, and what is to be said of them."""

    files: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        kind: its name for programs, such as ``"leak"``.
        severity: ``"error"``: training refuses the data, or its figures would be wrong; ``"warning"``: look at it;
            ``"note"``: good to know.
        words: what was found, as a sentence without its full stop.
        mend: what to do, as sentences.
        items: the files, in groups that belong together; those of a finding about classes are empty.
        set_aside: the files that ``--fix`` moves away.
    """

    kind: str
    severity: Severity
    words: str
    mend: str
    items: tuple[Item, ...] = ()
    set_aside: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All files of the finding."""
        return tuple(file for item in self.items for file in item.files)


@dataclass(frozen=True)
class Report:
    """What a check found.

    Args:
        path: the folder, file or name that was checked.
        size: how much could be read, in units.
        about: what else is to be said of all of it, in words.
        counts: part of the data -> group -> units of it that could be read.
        findings: the worst first.
        unit: what is counted: ``"image"``, ``"character"``.
        group: what it is counted by: ``"class"``, ``"file"``.
        samples: of photos with boxes, some to be drawn; no part of what ``as_json`` gives.

    Example:
        >>> blank = Finding("blank", "warning", "1 image is blank", "Look at it.", (Item(("cat/1.png",)),))
        >>> report = Report("pets", 20, "8x8 pixels, grey", {"train": {"cat": 9, "dog": 11}}, [blank])
        >>> report.count("warning"), report.errors, report.groups
        (1, 0, ('cat', 'dog'))
    """

    path: str
    size: int
    about: str
    counts: Mapping[str, Mapping[str, int]]
    findings: Sequence[Finding] = field(default=())
    unit: str = "image"
    group: str = "class"
    samples: Sequence[Any] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        ranked = sorted(self.findings, key=lambda finding: SEVERITIES.index(finding.severity))
        object.__setattr__(self, "findings", tuple(ranked))

    @property
    def groups(self) -> tuple[str, ...]:
        """The classes or files of all parts, in the order of their first part."""
        return tuple(dict.fromkeys(name for part in self.counts.values() for name in part))

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return self.count("error")

    def count(self, severity: Severity) -> int:
        """How many findings are of that severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def set_aside(self) -> dict[str, str]:
        """The files that ``--fix`` moves away, each with the reason."""
        moves: dict[str, str] = {}
        for finding in self.findings:
            of = {file: item for item in finding.items for file in item.files}
            for file in finding.set_aside:
                moves.setdefault(file, _reason(finding, file, of[file]))
        return moves

    def as_json(self) -> dict[str, Any]:
        """The report in lists, dictionaries, strings and numbers."""
        findings = [{**asdict(finding), "files": finding.files, "set_aside": finding.set_aside} for finding in self.findings]
        return {
            "path": self.path,
            f"{self.unit}s": self.size,
            "about": self.about,
            "counts": {part: dict(counts) for part, counts in self.counts.items()},
            **{f"{severity}s": self.count(severity) for severity in SEVERITIES},
            "findings": findings,
            "set_aside": self.set_aside,
        }


def _reason(finding: Finding, file: str, item: Item) -> str:
    """Why a file is set aside: its finding, its detail, and the files that it is the same as."""
    others = [other for other in item.files if other != file]
    return f"{finding.kind}: {item.detail}" + (f" as {', '.join(others)}" if others else "")
