"""The check of photos with boxes, and the command: what is planted is found, and boxes are drawn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.cli import main
from minigrad.data.check import check_boxes
from tests.box_files import BIRDS, coco, coco_of, photo, photos, table, voc, xml

# 24 photos of one robin and one wren each.
MANY = {f"{k}.png": [(5, 5, 30, 30, "wren"), (25 + k % 3, 8, 55, 38, "robin")] for k in range(24)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voc(tmp_path_factory.mktemp("sound") / "birds", MANY)


def kinds(path: Path) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in check_boxes(path).findings}


def test_sound_photos(sound: Path) -> None:
    report = check_boxes(sound)
    assert not report.findings and report.size == 24
    assert report.counts == {"boxes": {"robin": 24, "wren": 24}}
    assert report.about.startswith("Pascal VOC, 48 boxes, photos of 60x40 pixels, boxes of 25x25 to 30x30")
    assert len(report.samples) == 6 and report.samples[0].sample.boxes.shape == (2, 4)
    assert set(report.as_json()) >= {"images", "counts", "findings"} and "samples" not in report.as_json()


def rewritten(name: str, *boxes: Any) -> Callable[[Path], Any]:
    return lambda folder: (folder / f"{name}.xml").write_text(xml(f"{name}.png", boxes))


def leak(folder: Path) -> None:
    for part, names in (("train", range(12)), ("test", range(12, 24))):
        (folder / part).mkdir()
        for k in names:
            for suffix in (".png", ".xml"):
                shutil.move(folder / f"{k}{suffix}", folder / part)
    shutil.copy(folder / "train" / "3.png", folder / "test" / "15.png")


PLANTED: dict[str, tuple[Callable[[Path], Any], dict[str, str]]] = {
    "zero area": (rewritten("3", (5, 5, 5, 30, "wren"), (25, 8, 55, 38, "robin")), {"zero-area": "error"}),
    "outside": (rewritten("3", (70, 5, 90, 30, "wren"), (25, 8, 55, 38, "robin")), {"outside": "error"}),
    "partly outside": (rewritten("3", (-5, 5, 30, 30, "wren"), (25, 8, 55, 38, "robin")), {"clipped": "note"}),
    "swapped": (rewritten("3", (30, 30, 5, 5, "wren"), (25, 8, 55, 38, "robin")), {"swapped": "warning"}),
    "not finite": (rewritten("3", ("nan", 5, 30, 30, "wren"), (25, 8, 55, 38, "robin")), {"no-numbers": "error"}),
    "twice": (rewritten("3", (5, 5, 30, 30, "wren"), (5, 5, 30, 30, "wren")), {"duplicate": "warning"}),
    "small": (rewritten("3", (5, 5, 9, 30, "wren")), {"small-boxes": "note"}),
    "large": (rewritten("3", (0, 0, 60, 40, "wren")), {"large-boxes": "note"}),
    "few": (rewritten("3", (5, 5, 30, 30, "owl")), {"few": "warning"}),
    "alike": (rewritten("3", (5, 5, 30, 30, "Wren")), {"alike-names": "warning", "few": "warning"}),
    "no photo": (lambda folder: (folder / "3.png").unlink(), {"unknown-image": "error"}),
    "no image": (lambda folder: (folder / "3.png").write_text("no image"), {"undecodable": "error"}),
    "no XML": (lambda folder: (folder / "3.xml").write_text("<annotation>"), {"annotations": "error", "told": "note"}),
    "no rows": (lambda folder: (folder / "3.xml").unlink(), {"told": "note"}),
    "a copy": (lambda folder: shutil.copy(folder / "3.png", folder / "4.png"), {"duplicate": "note"}),
    "a leak": (leak, {"leak": "error", "few": "warning"}),
}  # fmt: skip


@pytest.mark.parametrize("case", PLANTED)
def test_what_is_planted_is_found(case: str, sound: Path, tmp_path: Path) -> None:
    plant, expected = PLANTED[case]
    folder = shutil.copytree(sound, tmp_path / "birds")
    plant(folder)
    assert kinds(folder) == expected


def test_a_file_that_is_cut_short_is_found_though_its_head_is_sound(sound: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sound, tmp_path / "birds")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(folder / "3.png")
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:-3000])
    report = check_boxes(folder)
    assert [(finding.kind, finding.files) for finding in report.findings] == [("undecodable", ("3.png",))] and report.size == 23


def test_masks_elsewhere_and_a_table(tmp_path: Path) -> None:
    masks = {f"{k}.png {n}": [[5, 5, 30, 5, 30, 30, 5, 30]] for k in range(24) for n in range(2)}
    report = check_boxes(coco(tmp_path / "coco", MANY, masks=masks) / "instances.json")
    (found,) = [finding for finding in report.findings if finding.severity == "warning"]
    assert found.kind == "mask-elsewhere" and len(found.items) == 24 and "with masks" in report.about
    assert not check_boxes(table(tmp_path / "csv", MANY)).findings


def test_the_command_draws_and_tells(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", "detect", str(sound)]) == 0
    out = capsys.readouterr().out
    assert "24 images in 2 classes, Pascal VOC, 48 boxes" in out.replace("\n", " ")
    assert "6 of the photos with their boxes are drawn in birds-boxes.png" in out
    with Image.open("birds-boxes.png") as picture:
        assert picture.size == (3 * 660 + 16, 2 * 440 + 8)
    assert main(["data", "check", "detect", str(sound)]) == 0 and Path("birds-boxes-2.png").exists()
    assert main(["data", "check", "detect", str(sound), "--picture", "there.png", "--json"]) == 0
    capsys.readouterr()
    assert main(["data", "check", "detect", str(sound), "--picture", "there.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == "there.png"
    assert main(["data", "check", "detect", str(sound), "--picture", "no/such/folder.png"]) == 2
    assert main(["data", "check", "gan", str(sound), "--picture", "a.png"]) == 2
    assert "It belongs to detect" in " ".join(capsys.readouterr().err.split())
    assert main(["data", "check", "detect", "nowhere"]) == 2


def test_fix_sets_broken_xml_aside_and_nothing_else(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(sound, tmp_path / "birds")
    (folder / "3.xml").write_text("<annotation>")
    assert main(["data", "check", "detect", str(folder)]) == 1
    assert main(["data", "check", "detect", str(folder), "--fix"]) == 0
    assert sorted(path.name for path in (tmp_path / "birds-set-aside").iterdir()) == ["3.xml", "fix-log.txt"]
    coco(tmp_path / "coco", BIRDS)
    held = coco_of(BIRDS)
    held["annotations"].append(7)
    (tmp_path / "coco" / "instances.json").write_text(json.dumps(held))
    assert main(["data", "check", "detect", str(tmp_path / "coco"), "--fix"]) == 1


def test_photos_of_several_sizes_are_told(tmp_path: Path) -> None:
    photos(tmp_path, ["a.png"])
    photo(tmp_path / "large.png", 1000, 600)
    (tmp_path / "boxes.csv").write_text("a.png,1,1,30,30,wren\nlarge.png,1,1,800,300,wren\n")
    report = check_boxes(tmp_path)
    assert "photos of 60x40 to 1000x600 pixels, boxes of 29x29 to 799x299" in report.about
    assert [sample.sample.image.shape for sample in report.samples] == [(3, 40, 60), (3, 480, 800)]
    assert report.samples[1].sample.boxes.tolist() == pytest.approx(np.array([[0.8, 0.8, 640, 240]]))
