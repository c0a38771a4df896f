"""Settings of a task: one frozen dataclass, whose fields say what they are, and the words ``key=value`` that change them."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from minigrad.errors import ArgumentError

S = TypeVar("S", bound="Settings")
_TRUTH = {word: value for value, words in {True: "true yes on 1", False: "false no off 0"}.items() for word in words.split()}
LONGEST = 80  # letters of what came, in an error
_AUTO = ("auto", "none", "null")
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def setting(
    default: Any, about: str, *, least: float | None = None, most: float | None = None, choices: Iterable[Any] = ()
) -> Any:
    """A field of a ``Settings`` class.

    Args:
        default: its value; ``None`` stands for one that the task finds from its data ("auto").
        about: a line that says what it is.
        least: the smallest value that is allowed.
        most: the largest.
        choices: the words or numbers that are allowed.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Mine(Settings):
        ...     lr: float = setting(0.1, "learning rate", least=0)
        >>> Mine.parse(["lr=0.5"]).lr
        0.5
    """
    return dataclasses.field(
        default=default, metadata={"about": about, "least": least, "most": most, "choices": tuple(choices)}
    )


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all tasks let a user choose. A task derives a frozen dataclass from it and adds its own fields by ``setting``.

    Raises:
        ArgumentError: a value outside what its field allows.
    """

    seed: int = setting(0, "of everything that is random", least=0, most=2**53)
    log_every: int | None = setting(
        None, "steps between two lines of metrics.jsonl; auto: ten lines for each evaluation", least=1
    )
    save_every: float = setting(60.0, "seconds between two checkpoints, beside those at each evaluation", least=0)
    patience: int = setting(0, "stop early after so many evaluations in a row without a better one; 0: never", least=0)

    _hints: ClassVar[dict[str, Any]]  # the types of a class's settings: each asks for its own, and to find them takes long

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            self._check(field, getattr(self, field.name))

    @classmethod
    def parse(cls: type[S], words: Iterable[str], base: Mapping[str, Any] | None = None) -> S:
        """Settings from words such as ``lr=0.1``, over those of ``base``, over the defaults.

        Raises:
            ArgumentError: a word without ``=``, an unknown key, a value of another kind or outside its range.

        Example:
            >>> Settings.parse(["seed=3", "patience=2"])
            Settings(seed=3, log_every=None, save_every=60.0, patience=2)
        """
        values = dict(base or {})
        given: set[str] = set()
        for word in words:
            key, equals, text = word.partition("=")
            key = key.strip()
            if not equals:
                raise ArgumentError("--set", _brief(word), "key=value", "no '='", f"For example --set {_example(cls, key)}")
            if key in given:
                raise ArgumentError("--set", key, "each key once", "it twice")
            given.add(key)
            values[key] = cls._read(cls._field(key, "--set"), text.strip())
        return cls.of(values)

    @classmethod
    def of(cls: type[S], values: Mapping[str, Any]) -> S:
        """Settings from a dict, such as a run's config holds.

        Raises:
            ArgumentError: an unknown key, a value of another kind or outside its range.

        Example:
            >>> Settings.of({"seed": 3}).seed
            3
        """
        if not isinstance(values, Mapping):
            raise ArgumentError(cls.__name__, "settings", "a dict", f"a {type(values).__name__}")
        for key in values:
            cls._field(str(key), cls.__name__)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The settings by name, as ``of`` takes them.

        Example:
            >>> Settings.of(Settings(seed=3).to_dict()) == Settings(seed=3)
            True
        """
        return dataclasses.asdict(self)

    def decide(self: S, **found: Any) -> S:
        """A copy in which those of ``found`` that were left open (``None``) have the values found.

        Example:
            >>> Settings().decide(log_every=20).log_every, Settings(log_every=7).decide(log_every=20).log_every
            (20, 7)
        """
        return dataclasses.replace(self, **{key: value for key, value in found.items() if getattr(self, key) is None})

    @classmethod
    def table(cls) -> list[tuple[str, str, str]]:
        """A row for each setting: its name, its default, and what it is.

        Example:
            >>> Settings.table()[0]
            ('seed', '0', 'of everything that is random')
        """
        rows = []
        for field in dataclasses.fields(cls):
            choices = field.metadata["choices"]
            about = field.metadata["about"] + (f" ({', '.join(map(str, choices))})" if choices else "")
            rows.append((field.name, _shown(field.default), about))
        return rows

    # ------------------------------------------------------------------ one field

    @classmethod
    def _field(cls, key: str, where: str) -> dataclasses.Field:
        fields = {field.name: field for field in dataclasses.fields(cls)}
        if key in fields:
            return fields[key]
        key = key[:LONGEST]  # to look for what is near a long one takes long
        near = difflib.get_close_matches(key.lower(), fields, n=1)
        remedy = f"Did you mean {near[0]}?" if near else ""
        raise ArgumentError(where, _brief(key), f"one of {', '.join(sorted(fields))}", f"the unknown key {key!r}", remedy)

    @classmethod
    def _kinds(cls, field: dataclasses.Field) -> tuple[type, ...]:
        if "_hints" not in vars(cls):  # a subclass has settings of its own
            cls._hints = typing.get_type_hints(cls)
        hint = cls._hints[field.name]
        return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)

    @classmethod
    def _read(cls, field: dataclasses.Field, text: str) -> Any:
        """The value that a user's text stands for."""
        kinds = cls._kinds(field)
        if type(None) in kinds and text.lower() in _AUTO:
            return None
        for kind in kinds:
            try:
                if kind is bool:
                    return _TRUTH[text.lower()]
                if kind is int:
                    number = float(text) if "e" in text.lower() else int(text)  # 1e5 is a whole number
                    if number == int(number):
                        return int(number)
                elif kind is not type(None):
                    return kind(text)
            except (ValueError, KeyError, OverflowError):
                continue
        raise ArgumentError("--set", field.name, cls._expected(field), _brief(repr(text)))

    @classmethod
    def _expected(cls, field: dataclasses.Field) -> str:
        kinds, meta = cls._kinds(field), field.metadata
        if meta["choices"]:
            text = f"one of {', '.join(map(str, meta['choices']))}"
        else:
            text = " or ".join(_WORDS[kind] for kind in kinds if kind in _WORDS)
            least, most = meta["least"], meta["most"]
            if least is not None and most is not None:
                text += f" from {least} to {most}"
            elif least is not None:
                text += f", {least} or more"
            elif most is not None:
                text += f", {most} or less"
        return text + (", or auto" if type(None) in kinds else "")

    def _check(self, field: dataclasses.Field, value: Any) -> None:
        kinds, meta = self._kinds(field), field.metadata
        if value is None and type(None) in kinds:
            return
        fits = any(
            isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) if kind is not float
            else isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
            for kind in kinds
        )  # fmt: skip
        if fits and meta["choices"]:
            fits = value in meta["choices"]
        elif fits and not isinstance(value, str):
            fits = (meta["least"] is None or value >= meta["least"]) and (meta["most"] is None or value <= meta["most"])
        if not fits:
            raise ArgumentError("settings", field.name, self._expected(field), _brief(repr(value)))


def _shown(value: Any) -> str:
    return "auto" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _brief(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _example(cls: type[Settings], key: str) -> str:
    """The setting of that name as it is, else the last."""
    rows = cls.table()
    name, default, _ = next((row for row in rows if row[0] == key), rows[-1])
    return f"{name}={default}"
