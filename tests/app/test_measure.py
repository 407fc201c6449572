"""`fetal-health measure`: an image on the command line."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from app.cli import app as command
from models.errors import FetalHealthError, FormatError, InputError
from models.synthetic.heads import phantom
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.segmentation import Segmenter
from tests.examples import HEAD_OUTLINE, HEAD_PNG
from tests.models.ultrasound.dicoms import dicom, region

TRUTH = HEAD_OUTLINE


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "head.png"
    path.write_bytes(HEAD_PNG)
    return path


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outline is known: what is tested here is what the command makes of it."""
    monkeypatch.setattr(Segmenter, "head", lambda self, pixels: HeadEllipse(TRUTH, None, None))


def run(*arguments: object) -> tuple[int, str]:
    made = CliRunner().invoke(command, ["measure", *map(str, arguments)])
    if isinstance(made.exception, FetalHealthError):
        raise made.exception
    return made.exit_code, made.output


@pytest.mark.usefixtures("found")
def test_measure_and_judge(image: Path, tmp_path: Path) -> None:
    code, text = run(image, "--mm-per-pixel", 0.18, "--ga", "28+0", "--overlay", tmp_path / "out.png")
    assert code == 0
    assert f"head circumference {TRUTH.perimeter * 0.18:.1f} mm" in text
    assert "centile" in text
    assert "Not a medical device" in text
    assert np.asarray(Image.open(tmp_path / "out.png")).shape == (540, 800, 3)


@pytest.mark.usefixtures("found")
def test_a_size_that_no_chart_judges_says_why(image: Path) -> None:
    code, text = run(image, "--mm-per-pixel", 0.09, "--ga", "12+0")
    assert code == 0
    assert "size not judged" in text
    assert "14+0 to 40+0 weeks" in text


@pytest.mark.usefixtures("found")
def test_json_of_several_images_and_scales(image: Path, tmp_path: Path) -> None:
    clip = tmp_path / "a.dcm"
    clip.write_bytes(dicom(phantom(TRUTH, seed=4), [region((0, 0, 799, 539), (0.018, 0.018))]))
    code, text = run(image, clip, "--calliper", "0,0,0,400,72", "--json")
    assert code == 0
    made = json.loads(text)
    assert [one["scale_source"] for one in made["images"]] == ["calliper", "DICOM region"]
    assert made["measurement"]["images"] == 2
    assert made["measures"]["head_circumference_mm"]["value"] == pytest.approx(TRUTH.perimeter * 0.18)
    assert "growth" not in made


def test_what_cannot_be_measured_exits_with_3(tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.uint8)).save(path)
    code, text = run(path, "--mm-per-pixel", 0.1)
    assert code == 3
    assert "cannot assess" in text


@pytest.mark.usefixtures("found")
def test_without_a_scale_it_asks_for_one(image: Path) -> None:
    code, text = run(image)
    assert code == 3
    assert "calliper of known length" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--calliper", "1,2"], "expected 5 numbers"),
        (["--calliper", "a,b,c,d,e"], "expected 5 numbers"),
        (["--mm-per-pixel", "7"], "outside 0.02"),
        (["--ga", "soon"], r"weeks\+days"),
        (["--overlay", "out.tiff"], r"written as \.png"),
        (["--overlay", "/nowhere/out.png"], "nowhere"),
        (["--bundle", "/nowhere"], "no bundle"),
    ],
)
def test_bad_arguments_get_one_line(image: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(FetalHealthError, match=words):
        run(image, *arguments)


def test_bad_files_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        run(tmp_path / "nothing.png")
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    with pytest.raises(FormatError, match="not a readable"):
        run(empty)
    turned = io.BytesIO()
    Image.new("L", (10, 10)).save(turned, "PNG")
    empty.write_bytes(turned.getvalue())
    with pytest.raises(InputError, match="at least 64"):
        run(empty)
