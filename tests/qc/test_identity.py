from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError, UserError
from focusviewer.qc.reports.cards import focus_records
from focusviewer.qc.reports.page import write_report
from focusviewer.qc.verdicts.rules import load_rules, rules_from
from focusviewer.qc.worklist.store import Worklist
from focusviewer.slides import Level, Region, Slide, SlideInfo
from focusviewer.slides.identity import NamePattern, describe_records, identify, ndpi_tags
from focusviewer.slides.identity import focus_records as read_records


class Stated(Slide):
    """A slide that only says who it is."""

    def __init__(
        self, path: str | Path, vendor: str | None = None, label: RGB | None = None, **properties: str
    ) -> None:
        stated = {key.replace("__", "."): value for key, value in properties.items()}
        associated = () if label is None else ("label",)
        self.label = label
        self.info = SlideInfo(
            Path(path), "test", vendor, (Level(100, 100, 1.0),), properties=stated, associated=associated
        )

    def read_region(self, region: Region) -> RGB:
        raise AssertionError("identity needs no pixels")

    def read_associated(self, name: str) -> RGB:
        assert self.label is not None
        if not self.label.any():
            raise SlideError("Cannot read the label")
        return self.label

    def close(self) -> None:
        pass


def write_ndpi(path: Path, tags: dict[int, object]) -> None:
    """The head of an NDPI file: offsets of 8 bytes, and the high words of all values after the directory."""
    basic: dict[int, object] = {256: 8, 257: 8, 65420: 1, 271: "Hamamatsu", 272: "NanoZoomer", 65421: 20.0}
    entries, behind = [], b""
    everything = dict(sorted({**basic, **tags}.items()))
    start = 12 + 2 + 16 * len(everything) + 8
    for code, value in everything.items():
        if isinstance(value, str):
            kind, count, data = 2, len(value.encode()) + 1, value.encode() + b"\0"
        elif isinstance(value, float):
            kind, count, data = 11, 1, struct.pack("<f", value)
        else:
            values = value if isinstance(value, tuple) else (value,)
            kind, count, data = 9, len(values), struct.pack(f"<{len(values)}i", *values)
        if len(data) > 4:
            field = struct.pack("<I", start + len(behind))
            behind += data + b"\0" * (len(data) % 2)
        else:
            field = data.ljust(4, b"\0")
        entries.append(struct.pack("<HHI", code, kind, count) + field)
    head = b"II*\0" + struct.pack("<Q", 12)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(8) + bytes(4 * len(entries))
    path.write_bytes(head + directory + behind)


FOCUS = {65439: (10, 20, -30, 40, 50, -60), 65440: (0, 0, 100, 100), 65446: -3, 65455: 12, 65458: 1}


def test_a_stated_bar_code_is_the_slide_id() -> None:
    slide = Stated("S21-7_PAS.svs", openslide__barcode=" S21-0007;A1 \n")
    found = identify(slide, NamePattern.parse("(?P<slide_id>[^_]+)_"))
    assert (found.slide_id, found.source) == ("S21-0007;A1", "barcode")


@pytest.mark.parametrize("name", ["ventana__Barcode1D", "hamamatsu__Reference", "dicom__ContainerIdentifier"])
def test_vendors_names_for_the_bar_code_are_known(name: str) -> None:
    assert identify(Stated("x.svs", **{name: "B-1"})).slide_id == "B-1"


def test_a_decoder_reads_the_label_before_the_file_name_is_asked() -> None:
    label = np.full((4, 6, 3), 9, np.uint8)
    seen = []

    def decode(image: RGB) -> str:
        seen.append(image.shape)
        return "L-5"

    found = identify(Stated("x_1.svs", label=label), NamePattern.parse("(?P<slide_id>x)"), decode)
    assert (found.slide_id, found.source, seen) == ("L-5", "label", [(4, 6, 3)])
    nothing = identify(Stated("x_1.svs", label=label), None, lambda image: "")
    assert (nothing.slide_id, nothing.source) == ("x_1", "file name")


def test_the_name_of_an_ome_file_ends_before_its_suffixes() -> None:
    assert identify(Stated("x_1.ome.tif"), None).slide_id == "x_1"


def test_a_label_that_cannot_be_read_is_like_none() -> None:
    found = identify(Stated("x_1.svs", label=np.zeros((4, 6, 3), np.uint8)), None, lambda image: "never")
    assert found.slide_id == "x_1"


def test_a_file_name_pattern_gives_slide_id_stain_and_scanner() -> None:
    pattern = NamePattern.parse(r"^(?P<slide_id>S\d+-\d+)_(?P<stain>[^_.]+)(_(?P<scanner>[^.]+))?")
    found = identify(Stated("S21-7_PAS_gt450.svs"), pattern)
    assert (found.slide_id, found.stain, found.scanner, found.source) == ("S21-7", "PAS", "gt450", "pattern")
    other = identify(Stated("unlike.svs"), pattern)
    assert (other.slide_id, other.stain, other.source) == ("unlike", "", "file name")


def test_what_the_file_states_wins_over_its_name() -> None:
    pattern = NamePattern.parse("(?P<stain>PAS)")
    found = identify(Stated("PAS.svs", "aperio", **{"aperio__ScanScope ID": "SS1302", "aperio__Stain": "H&E"}), pattern)
    assert (found.stain, found.scanner) == ("H&E", "aperio SS1302")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(?P<slide_id>[", "no regular expression"),
        ("S.*", "names nothing"),
        ("(?P<slideid>.*)", "Did you mean slide_id?"),
        ("(?P<colour>.*)", "Known are"),
    ],
)
def test_a_bad_pattern_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(UserError, match="--name-pattern") as error:
        NamePattern.parse(text, "--name-pattern")
    assert says in str(error.value)


def test_the_scanner_is_vendor_model_and_number_each_once() -> None:
    slide = Stated(
        "x.svs",
        "hamamatsu",
        **{"tiff__Make": "Hamamatsu", "tiff__Model": "NanoZoomer", "hamamatsu__NDP__S/N": "870001"},
    )
    assert identify(slide).scanner == "hamamatsu NanoZoomer 870001"
    assert identify(Stated("x.tif", "generic-tiff")).scanner == ""


def test_focus_records_of_ndpi_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ndpi"
    write_ndpi(path, {**FOCUS, 65427: "H-77", 65442: "870002"})
    found = identify(Stated(path, "hamamatsu"))
    assert found.records == {
        "focus_points": (10, 20, -30, 40, 50, -60),
        "focus_point_regions": (0, 0, 100, 100),
        "focus_offset": -3,
        "focus_time": 12,
        "fully_auto_focus": 1,
    }
    assert (found.slide_id, found.source) == ("H-77", "barcode")
    assert found.scanner == "hamamatsu 870002"
    assert read_records(Stated(path, "hamamatsu")) == found.records
    assert read_records(Stated(tmp_path / "a.svs", "aperio")) == {}


def test_files_without_focus_records_have_none(tmp_path: Path) -> None:
    path = tmp_path / "a.ndpi"
    write_ndpi(path, {65446: 4})
    assert identify(Stated(path)).records == {"focus_offset": 4}
    path.write_bytes(b"II*\0 no slide at all")
    assert ndpi_tags(path) == {}
    assert identify(Stated(tmp_path / "missing.ndpi")).records == {}


def test_records_are_told_in_short_lines() -> None:
    lines = dict(describe_records({"focus_points": tuple(range(40)), "focus_offset": -3}))
    assert lines["focus offset"] == "-3"
    assert lines["focus points"].endswith("… (40 values)")


def test_identity_has_no_control_characters() -> None:
    found = identify(Stated("a\nb\x07.svs", openslide__barcode="x\r\ny\x00z"))
    assert found.slide_id == "x y z"


def test_rules_carry_the_file_name_pattern() -> None:
    rules = rules_from({"name": "x", "identity": {"file_name": "^(?P<slide_id>[^_]+)_(?P<stain>[^.]+)"}})
    found = identify(Stated("S21-7_PAS.svs"), rules.file_name)
    assert (found.slide_id, found.stain) == ("S21-7", "PAS")
    assert load_rules().file_name is None


@pytest.mark.parametrize("identity", [{"file_name": "("}, {"file_name": 3}, {"name": "x"}, "text"])
def test_a_bad_pattern_in_rules_names_the_file(identity: object) -> None:
    with pytest.raises(UserError, match=r"night\.toml"):
        rules_from({"identity": identity}, "night.toml")


def test_a_batch_keeps_what_the_name_and_the_scanner_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from focusviewer.qc.batch import slide_task
    from tests.qc.worklists import MPP

    rng = np.random.default_rng(1)
    path = tmp_path / "S21-7_PAS.tif"
    pixels = np.array([225, 160, 200]) - rng.random((600, 700, 1)) * np.array([110, 110, 60])
    tifffile.imwrite(path, pixels.astype(np.uint8), photometric="rgb", resolution=(1e4 / MPP,) * 2, resolutionunit=3)
    monkeypatch.setattr("focusviewer.slides.identity._is_ndpi", lambda slide: True)
    monkeypatch.setattr("focusviewer.slides.identity.ndpi_tags", lambda path: {65439: (1, 2, 3), 65446: -4})
    rules = rules_from({"name": "x", "identity": {"file_name": "^(?P<slide_id>[^_]+)_(?P<stain>[^.]+)"}})
    result = slide_task.VerdictTask(path, tmp_path, rules, "tenengrad").run()
    assert (result.facts.slide_id, result.facts.stain) == ("S21-7", "PAS")
    assert dict(focus_records(tmp_path / result.folder)) == {"focus points": "1, 2, 3", "focus offset": "-4"}
    with Worklist(tmp_path / "worklist.sqlite") as worklist:
        worklist.record(result)
        write_report(worklist, tmp_path / "report.html")
    assert "scanner's focus points" in (tmp_path / "report.html").read_text(encoding="utf-8")
