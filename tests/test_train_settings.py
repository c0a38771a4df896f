"""Settings: what a user writes after --set and what a run's config holds, taken or refused in words."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from minigrad.errors import ArgumentError
from minigrad.train import Settings, setting


@dataclass(frozen=True)
class All(Settings):
    """A setting of each kind."""

    count: int = setting(3, "a count", least=1, most=10)
    size: int | None = setting(None, "a size")
    rate: float = setting(0.5, "a rate", least=0)
    share: float | None = setting(None, "a share", least=0.25, most=0.75)
    depth: float = setting(-1.0, "a depth", most=0)
    flip: bool = setting(True, "whether")
    turn: bool | None = setting(None, "whether, or by the data")
    kind: str = setting("plain", "which", choices=("plain", "fancy"))
    name: str = setting("", "any word")


COUNT = "a whole number from 1 to 10"
READ: list[tuple[str, Any]] = [
    ("count=10", 10),
    ("count=1e1", 10),
    ("count=1E0", 1),
    ("count= 4 ", 4),
    (" count =4", 4),
    ("count=+4", 4),
    ("size=100_000", 100_000),
    ("size=1e5", 100_000),
    ("size=-2", -2),
    ("size=auto", None),
    ("size=None", None),
    ("size=NULL", None),
    ("rate=1", 1.0),
    ("rate=1e-3", 0.001),
    ("rate=.5", 0.5),
    ("share=auto", None),
    ("share=0.25", 0.25),
    ("share=0.75", 0.75),
    ("depth=-2.5", -2.5),
    ("depth=0", 0.0),
    *((f"flip={word}", True) for word in ("true", "True", "yes", "on", "1")),
    *((f"flip={word}", False) for word in ("false", "FALSE", "no", "off", "0")),
    ("turn=auto", None),
    ("turn=yes", True),
    ("kind=fancy", "fancy"),
    ("name=a=b c", "a=b c"),
    ("name=auto", "auto"),  # a word like others where nothing can be left open
    ("name=", ""),
    ("seed=9007199254740992", 2**53),
    ("save_every=0", 0.0),
    ("log_every=1", 1),
]


@pytest.mark.parametrize(("word", "value"), READ, ids=[word for word, _ in READ])
def test_what_is_read(word: str, value: Any) -> None:
    found = getattr(All.parse([word]), word.partition("=")[0].strip())
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count"], "--set: count: expected key=value, got no '='. For example --set count=3."),
        ([""], "--set: expected key=value, got no '='. For example --set name=."),
        (["count=0"], f"settings: count: expected {COUNT}, got 0."),
        (["count=11"], f"settings: count: expected {COUNT}, got 11."),
        (["count=2.5"], f"--set: count: expected {COUNT}, got '2.5'."),
        (["count=25e-1"], f"--set: count: expected {COUNT}, got '25e-1'."),
        (["count=three"], f"--set: count: expected {COUNT}, got 'three'."),
        (["count="], f"--set: count: expected {COUNT}, got ''."),
        (["count=auto"], f"--set: count: expected {COUNT}, got 'auto'."),
        (["count=true"], f"--set: count: expected {COUNT}, got 'true'."),
        (["count=1e999"], f"--set: count: expected {COUNT}, got '1e999'."),
        (["count=nan"], f"--set: count: expected {COUNT}, got 'nan'."),
        (["count=1__0"], f"--set: count: expected {COUNT}, got '1__0'."),
        (["count=" + "9" * 5000], f"--set: count: expected {COUNT}, got '{'9' * 79}...."),
        (["count=\x1b[2J"], f"--set: count: expected {COUNT}, got '\\x1b[2J'."),
        (["size=x"], "--set: size: expected a whole number, or auto, got 'x'."),
        (["rate=-0.1"], "settings: rate: expected a number, 0 or more, got -0.1."),
        (["rate=nan"], "settings: rate: expected a number, 0 or more, got nan."),
        (["rate=inf"], "settings: rate: expected a number, 0 or more, got inf."),
        (["rate=0,5"], "--set: rate: expected a number, 0 or more, got '0,5'."),
        (["share=0.1"], "settings: share: expected a number from 0.25 to 0.75, or auto, got 0.1."),
        (["depth=1"], "settings: depth: expected a number, 0 or less, got 1.0."),
        (["flip=2"], "--set: flip: expected true or false, got '2'."),
        (["turn=maybe"], "--set: turn: expected true or false, or auto, got 'maybe'."),
        (["kind=simple"], "settings: kind: expected one of plain, fancy, got 'simple'."),
        (["count=1", "count=2"], "--set: count: expected each key once, got it twice."),
    ],
)
def test_what_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        All.parse(words)
    assert str(caught.value) == message


KEYS = "count, depth, flip, kind, log_every, name, patience, rate, save_every, seed, share, size, turn"


@pytest.mark.parametrize(
    ("key", "near"),
    [("cuont", "count"), ("Rate", "rate"), ("KIND", "kind"), ("saveevery", "save_every"), ("zzz", ""), ("", ""), ("x y", "")],
)
def test_an_unknown_key(key: str, near: str) -> None:
    remedy = f" Did you mean {near}?" if near else ""
    head = f"--set: {key}" if key else "--set"
    with pytest.raises(ArgumentError) as caught:
        All.parse([f"{key}=1"])
    assert str(caught.value) == f"{head}: expected one of {KEYS}, got the unknown key {key!r}.{remedy}"


def test_a_long_key_is_told_in_short() -> None:
    with pytest.raises(ArgumentError) as caught:
        All.parse(["k" * 1_000_000 + "=1"])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "All: settings: expected a dict, got a list."),
        (None, "All: settings: expected a dict, got a NoneType."),
        ("count", "All: settings: expected a dict, got a str."),
        ({"count": "3"}, f"settings: count: expected {COUNT}, got '3'."),
        ({"count": 3.0}, f"settings: count: expected {COUNT}, got 3.0."),
        ({"count": True}, f"settings: count: expected {COUNT}, got True."),
        ({"count": None}, f"settings: count: expected {COUNT}, got None."),
        ({"count": [3]}, f"settings: count: expected {COUNT}, got [3]."),
        ({"count": {"a": 1}}, f"settings: count: expected {COUNT}, got {{'a': 1}}."),
        ({"rate": True}, "settings: rate: expected a number, 0 or more, got True."),
        ({"rate": "0.5"}, "settings: rate: expected a number, 0 or more, got '0.5'."),
        ({"rate": None}, "settings: rate: expected a number, 0 or more, got None."),
        ({"rate": 10**400}, f"settings: rate: expected a number, 0 or more, got 1{'0' * 79}...."),
        ({"rate": float("nan")}, "settings: rate: expected a number, 0 or more, got nan."),
        ({"flip": 1}, "settings: flip: expected true or false, got 1."),
        ({"flip": "true"}, "settings: flip: expected true or false, got 'true'."),
        ({"kind": ["plain"]}, "settings: kind: expected one of plain, fancy, got ['plain']."),
        ({"name": 3}, "settings: name: expected a word, got 3."),
        ({"nome": 3}, f"All: nome: expected one of {KEYS}, got the unknown key 'nome'. Did you mean name?"),
        ({3: 3}, f"All: 3: expected one of {KEYS}, got the unknown key '3'."),
    ],
)
def test_configs_that_are_refused(values: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        All.of(values)
    assert str(caught.value) == message


def test_whole_numbers_are_numbers() -> None:
    """JSON writes 1 for 1.0 where others have written it."""
    assert All.of({"rate": 1}).rate == 1


def test_a_class_is_checked_when_it_is_made() -> None:
    with pytest.raises(ArgumentError, match="settings: seed: expected a whole number from 0 to"):
        Settings(seed=-1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().seed = 3  # type: ignore[misc]


def test_over_a_base_and_over_the_defaults() -> None:
    found = All.parse(["rate=2"], {"count": 5, "rate": 1.0})
    assert (found.count, found.rate, found.kind) == (5, 2.0, "plain")
    with pytest.raises(ArgumentError, match="the unknown key 'colour'"):
        All.parse([], {"colour": 1})


def test_what_was_left_open_is_decided() -> None:
    found = All(share=0.5).decide(share=0.3, size=7, turn=False)
    assert (found.share, found.size, found.turn) == (0.5, 7, False)
    assert found.decide(turn=True).turn is False  # False is an answer
    with pytest.raises(ArgumentError, match="share: expected a number from"):
        All().decide(share=2.0)


def test_the_table_for_help() -> None:
    rows = {name: (default, about) for name, default, about in All.table()}
    assert list(rows)[:5] == ["seed", "log_every", "save_every", "patience", "count"]
    assert rows["turn"] == ("auto", "whether, or by the data")
    assert rows["flip"] == ("true", "whether")
    assert rows["kind"] == ("plain", "which (plain, fancy)")
    assert rows["rate"] == ("0.5", "a rate")


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**53),
        "count": st.integers(1, 10),
        "size": st.none() | st.integers(),
        "rate": st.floats(0, allow_infinity=False),
        "share": st.none() | st.floats(0.25, 0.75),
        "flip": st.booleans(),
        "turn": st.none() | st.booleans(),
        "kind": st.sampled_from(["plain", "fancy"]),
        "name": st.text(),
    },
)


@given(VALUES)
@hypothesis_settings(max_examples=100, deadline=None, derandomize=True)
def test_there_and_back(values: dict[str, Any]) -> None:
    """Through JSON, and through the words of a command line."""
    made = All.of(values)
    assert All.of(json.loads(json.dumps(made.to_dict()))) == made
    words = [f"{key}={'auto' if value is None else value}" for key, value in values.items() if key != "name"]
    assert All.parse(words, {"name": made.name}) == made


@given(st.lists(st.text() | st.builds("{}={}".format, st.sampled_from(["count", "rate", "flip", "size"]), st.text())))
@hypothesis_settings(max_examples=200, deadline=None, derandomize=True)
def test_noise_is_taken_or_refused(words: list[str]) -> None:
    try:
        assert isinstance(All.parse(words), All)
    except ArgumentError as error:
        assert len(str(error)) < 500


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@given(st.dictionaries(st.sampled_from(["count", "rate", "flip", "size", "kind", "name", "x"]), JSON) | JSON)
@hypothesis_settings(max_examples=200, deadline=None, derandomize=True)
def test_any_json_is_taken_or_refused(values: Any) -> None:
    try:
        assert isinstance(All.of(values), All)
    except ArgumentError as error:
        assert len(str(error)) < 500
