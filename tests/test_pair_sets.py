"""The named sets of sentence pairs, read from a made-up wheel and made-up Bibles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minigrad.cli import main
from minigrad.data import Pair, open_pairs, pairsets, sources
from minigrad.data.check import check_translate
from minigrad.data.pair import same_key
from minigrad.errors import DataError
from tests.pair_files import as_bibles, as_set, in_two_parts, interface, look

COMPONENTS = [f"device_{i}" for i in range(60)]


def texts(number: int, language: str) -> dict[str, object]:
    """What a component says: much that others say too, and some of its own."""
    say = {"en": "The {} {} of {}", "es": "El {} {} de {}"}[language]
    return {
        "title": f"Device {number}",
        "config": {
            "error": {"connect": {"en": "Failed to connect", "es": "No se pudo conectar"}[language] + "!" * (number % 3)},
            "own": say.format("own", number, number * number),
            "shared": say.format("SHARED" if number % 2 else "shared", number // 2, number // 2),
            "links": say.format("link http://x", number, 1),
            "placeholder": say.format("{name}", number, 2),
            "lines": f"{say.format('first', number, 3)}.\n\n{say.format('second', number, 4)}.",
            "broken": f"{say.format('third', number, 5)}.{chr(10) if language == 'en' else ' '}Ende {number} {language}.",
        },
        **({"only": "Only English"} if language == "en" else {}),
        "number": 7,
    }


@pytest.fixture
def en_es(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    components = {name: {code: texts(i, code) for code in ("en", "es")} for i, name in enumerate(COMPONENTS)}
    components["english_only"] = {"en": texts(99, "en")}
    as_set("en-es", interface(tmp_path / "x.whl", components), monkeypatch)


def test_no_sentence_of_the_interface_is_in_two_parts(en_es: None) -> None:
    data = open_pairs("en-es")
    assert data.test is not None and data.languages == ("en", "es") and data.names == ("en-es",)
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    assert all(parts.values()) and in_two_parts(parts) == []
    for part, pairs in parts.items():
        assert len({pair[:2] for pair in pairs}) == len(pairs)
        own = {pair.file for pair in pairs if " own " in pair.source}
        assert own == {name for name in COMPONENTS if pairsets.part_of(name) == part}
    assert {same_key("Failed to connect")} <= {same_key(pair.source) for pair in data.train}
    assert data.policy[1].startswith("split: the data's own parts: ") and not any("seen" in line for line in data.policy)


def test_a_sentence_in_two_parts_is_seen(
    en_es: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the sets as they are published finds what is planted, on either side and in any two parts."""
    assert look() == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("en-es: ") and told[0].endswith("; sentences in two parts: 0")
    assert told[1:] == [f"{name}: not in the cache" for name in ("en-de", "en-it", "en-fr", "bible-en-es")]
    parts = pairsets.open_named("en-es")
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        for side, name in enumerate(("source", "target")):
            row = ["new", "nuevo"]
            row[side] = f"¡{parts[other][0][side].upper()}!"
            planted = {**parts, one: [*parts[one], Pair(row[0], row[1])]}
            assert in_two_parts(planted) == [f"a {name} in {one} and {other}: {same_key(row[side])}"]
    monkeypatch.setattr(pairsets, "open_named", lambda name: planted)
    assert look() == 1 and "a target in validation and test: " in capsys.readouterr().out


def test_what_is_read_of_the_interface(en_es: None) -> None:
    data = open_pairs("en-es", reverse=True)
    assert data.test is not None and data.languages == ("es", "en") and data.digest == open_pairs("en-es", source="es").digest
    pairs = {pair.turned()[:2] for part in (data.train, data.validation, data.test) for pair in part}
    assert ("The first 3 of 3.", "El first 3 de 3.") in pairs and ("The second 3 of 4.", "El second 3 de 4.") in pairs
    assert ("The third 3 of 5. Ende 3 en.", "El third 3 de 5. Ende 3 es.") in pairs
    said = " ".join(side for pair in pairs for side in pair)
    for word in ("http", "{", "Device", "Only", "not read", "99"):
        assert word not in said.replace("of 99", "").replace("de 99", ""), word


def test_the_sets_are_listed_checked_and_told_apart(en_es: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json"]) == 0
    known = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert (known["en-es"]["state"], known["en-de"]["state"]) == ("cached", "absent")
    assert known["en-de"]["to_fetch"] == 35_392_639 and known["bible-en-es"]["packages"] == [
        "sword-text-kjv",
        "sword-text-sparv",
    ]
    assert main(["data", "list"]) == 0
    assert "the system's packages sword-text-kjv and sword-text-sparv, which are to be installed" in capsys.readouterr().out
    report = check_translate("en-es")
    assert not [finding for finding in report.findings if finding.kind in ("leak", "copies", "missing", "duplicate")]
    assert report.counts["train"].keys() == {"en-es"} and report.size == sum(
        n for part in report.counts.values() for n in part.values()
    )
    assert main(["data", "check", "translate", "en-es"]) == 0
    assert main(["data", "get", "en-es"]) == 0
    with pytest.raises(DataError, match=r"got 'en-es'\. en-es holds pairs: minigrad train translate takes it"):
        sources.dataset("en-es", "text")


def test_a_set_is_taken_together_with_files(en_es: None, tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("Mine\tMío\n")
    both, alone = open_pairs(["en-es", str(path)]), open_pairs("en-es")
    assert len(both.train) == len(alone.train) + 1 and len(both.validation) == len(alone.validation)
    assert both.names == ("en-es", "mine.tsv") and both.languages == ("en", "es") and both.digest != alone.digest
    assert check_translate(["en-es", str(path)]).counts["train"]["mine.tsv"] == 1


def test_the_four_languages_are_of_one_wheel() -> None:
    names = [name for name, data in sources.DATASETS.items() if data.kind == "pairs"]
    assert names == ["en-es", "en-de", "en-it", "en-fr", "bible-en-es"]
    assert len({sources.DATASETS[name].files for name in names[:4]}) == 1


# ---------------------------------------------------------------------- the Bible


def chapters(language: str, count: int = 40) -> list[str]:
    entries = ["", '<div canonical="true" osisID="Gen" type="book"/><title level="1">Genesis</title>']
    for number in range(1, count + 1):
        entries.append(f'<chapter n="{number}" osisID="Gen.{number}" sID="Gen.{number}"/> ')
        entries.append(f'¶ <w lemma="strong:H1">{language} verse {number}</w> one.<note type="x">or, two</note> ')
        entries.append("" if language == "es" and number == 3 else f"<l>{language} line {number},</l><l>more &amp; more</l>")
        entries.append(f"And {language} it was so.")
    return entries


def test_the_bible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_bibles(tmp_path, [[chapters(code), chapters(code, 1)] for code in ("en", "es")], monkeypatch)
    data = open_pairs("bible-en-es")
    assert data.test is not None and data.languages == ("en", "es")
    pairs = [*data.train, *data.validation, *data.test]
    assert len(pairs) == 80 and data.train[0] == ("en verse 1 one.", "es verse 1 one.", "Gen.1", 1)
    assert ("en line 2, more & more", "es line 2, more & more") in [pair[:2] for pair in pairs]
    for part, some in (("validation", data.validation), ("test", data.test)):
        assert {pairsets.part_of(pair.file) for pair in some} == {part}
        assert "And en it was so." not in [pair.source for pair in some]
    assert sources.get("bible-en-es")[0].parent == tmp_path


def test_a_bible_that_is_not_there_or_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_bibles(tmp_path, [[chapters("en"), chapters("en", 1)], [chapters("es", 39), chapters("es", 1)]], monkeypatch)
    with pytest.raises(DataError, match="expected two Bibles of the same chapters and verses, got others"):
        open_pairs("bible-en-es")
    as_bibles(tmp_path, [[chapters("en"), chapters("en", 1)], [chapters("es"), chapters("es", 1)]], monkeypatch)
    sources.get("bible-en-es")[9].unlink()
    with pytest.raises(
        DataError,
        match=r"got no such file\. On Debian or Ubuntu, run apt-get install sword-text-kjv sword-text-sparv; else",
    ):
        open_pairs("bible-en-es")
