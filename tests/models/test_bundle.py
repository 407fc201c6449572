"""A bundle is loaded and saved as a whole or not at all."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.bundle import ACIDAEMIA_FILES, MANIFEST, SEGMENTER, Bundle, save, shipped
from models.card import model_card
from models.errors import BundleError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "bundle"
    shutil.copytree(shipped(), target, ignore=shutil.ignore_patterns("__*"))
    return target


def test_the_shipped_bundle_is_small_and_says_its_terms(bundle: Bundle) -> None:
    size = sum(path.stat().st_size for path in shipped().iterdir() if path.is_file())
    assert size < 10e6
    terms = (shipped() / "LICENSE").read_text()
    for name in bundle.manifest["files"]:
        if name != "LICENSE":
            assert name in terms
    assert not bundle.synthetic
    card = (shipped() / "MODEL_CARD.md").read_text()
    assert "Not a medical device" in card
    assert "CC BY 4.0" in card


@pytest.mark.parametrize("name", ["ctg_table.ubj", SEGMENTER, "fusion.json"])
def test_a_changed_file_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} differs"):
        Bundle(copy)


def test_missing_parts_are_named(copy: Path, tmp_path: Path) -> None:
    (copy / "ctg.json").unlink()
    with pytest.raises(BundleError, match=r"ctg\.json is missing"):
        Bundle(copy)
    with pytest.raises(BundleError, match="no bundle here"):
        Bundle(tmp_path)
    (copy / MANIFEST).write_text("{")
    with pytest.raises(BundleError, match="not valid JSON"):
        Bundle(copy)
    (copy / MANIFEST).write_text(json.dumps({"format": 99}))
    with pytest.raises(BundleError, match="format 99"):
        Bundle(copy)


def test_save_is_whole_or_nothing(bundle: Bundle, tmp_path: Path) -> None:
    contents = {name: (shipped() / name).read_bytes() for name in bundle.manifest["files"]}
    manifest = {k: v for k, v in bundle.manifest.items() if k not in {"format", "files"}}
    saved = save(tmp_path / "new", contents, manifest)
    assert saved.identifier == bundle.identifier
    with pytest.raises(BundleError, match="exists already"):
        save(tmp_path / "new", contents, manifest)
    assert not list(tmp_path.glob("*.part"))


def test_the_card_is_the_manifests(bundle: Bundle) -> None:
    assert (shipped() / "MODEL_CARD.md").read_text() == model_card(
        {k: v for k, v in bundle.manifest.items() if k not in {"format", "files"}}
    )


def test_the_shipped_network_names_no_path(bundle: Bundle) -> None:
    content = (bundle.folder / SEGMENTER).read_bytes()
    assert b".py" not in content
    assert len(content) < 6e6


def test_torch_and_onnx_agree(bundle: Bundle) -> None:
    torch = pytest.importorskip("torch")
    from models.ultrasound.export import from_safetensors
    from models.ultrasound.training import predict_logits

    torch.set_num_threads(1)
    network = from_safetensors((bundle.folder / "head_segmenter.safetensors").read_bytes())
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (128, 192)).astype(np.uint8)
    np.testing.assert_allclose(bundle.segmenter.logits(image), predict_logits(network, image), atol=2e-3)


def test_files_that_the_manifest_does_not_name_are_not_loaded(bundle: Bundle, tmp_path: Path) -> None:
    manifest = {key: value for key, value in bundle.manifest.items() if key not in {"format", "files"}}
    names = [name for name in bundle.present_files if name not in ACIDAEMIA_FILES]
    saved = save(tmp_path / "b", {name: (bundle.folder / name).read_bytes() for name in names}, manifest)
    for name in ACIDAEMIA_FILES:
        (saved.folder / name).write_bytes((bundle.folder / name).read_bytes())
    assert Bundle(saved.folder).acidaemia is None
