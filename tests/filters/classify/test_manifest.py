"""What a model directory says of itself, and what happens if it is not true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plano_builtin_filters.classify.routers.manifest import (
    NAME,
    Manifest,
    Parity,
    load,
    read,
    write,
)
from plano_builtin_filters.classify.routers.protocol import RouterFailed

PARITY = Parity(max_difference=0.1, relative=0.01, split=0.0, same_first=1.0, prompts=4)
MANIFEST = Manifest(
    kind="causal",
    name="katanemo/Arch-Router-1.5B",
    licence="katanemo-research",
    template="arch-router",
    dtype="int8",
    temperature=1.4,
    parity=PARITY,
    settings={"anything": [1, 2]},
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with two files and a manifest."""
    (tmp_path / "model.onnx").write_bytes(b"graph")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    write(tmp_path, MANIFEST, ["model.onnx", "tokenizer.json"])
    return tmp_path


def test_what_is_written_is_read(directory: Path) -> None:
    """With the hash and size of every file."""
    manifest = load(directory, kind="causal")

    assert manifest.model_copy(update={"files": {}}) == MANIFEST
    assert {name: file.size for name, file in manifest.files.items()} == {
        "model.onnx": 5,
        "tokenizer.json": 2,
    }
    assert manifest.verified


def test_the_declared_hash_is_that_of_the_manifest(directory: Path) -> None:
    """Which names the hashes of the files: whoever declares one hash trusts all of them."""
    sha256 = write(directory, MANIFEST, ["model.onnx", "tokenizer.json"])

    assert load(directory, kind="causal", sha256=sha256.upper()).name == MANIFEST.name
    with pytest.raises(RouterFailed, match="does not have the declared sha256"):
        load(directory, kind="causal", sha256="0" * 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: (d / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda d: (d / "tokenizer.json").write_bytes(b"[]"), "tokenizer.json is corrupt"),
        (lambda d: (d / "model.onnx").write_bytes(b"longer graph"), "model.onnx is corrupt"),
        (lambda d: (d / "model.onnx.data").write_bytes(b"x"), "not in the manifest"),
        (lambda d: (d / NAME).write_text("{"), "Invalid JSON"),
        (lambda d: (d / NAME).write_text("{}"), "kind: Field required"),
        (lambda d: edit(d, tempature=2), "tempature: Extra inputs"),
        (lambda d: edit(d, format=2), "format: Input should be 1"),
        (lambda d: edit(d, temperature=0), "temperature: Input should be greater"),
        (lambda d: edit(d, kind="encoder"), "of kind encoder, not causal"),
        (lambda d: edit(d, files={"../up": {"sha256": "0" * 64, "size": 1}}), "not a file of this"),
        (lambda d: edit(d, files={"/etc/x": {"sha256": "0" * 64, "size": 1}}), "not a file of"),
    ],
)
def test_what_is_not_true_is_named(directory: Path, change: object, said: str) -> None:
    """The file, or the field."""
    assert callable(change)
    change(directory)

    with pytest.raises(RouterFailed, match=said) as caught:
        load(directory, kind="causal")
    assert caught.value.reason == "unavailable"


def test_a_plain_export_is_described_by_its_names(tmp_path: Path) -> None:
    """It has no manifest, so it is not verified, and the template is a guess."""
    folder = tmp_path / "Plano-Orchestrator-4B"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    manifest = load(folder, kind="causal")

    assert (manifest.name, manifest.template) == (folder.name, "plano-orchestrator")
    assert not manifest.verified

    (folder / "config.json").write_text('{"_name_or_path": "katanemo/Plano-Orchestrator-4B"}')
    assert load(folder, kind="causal").name == "katanemo/Plano-Orchestrator-4B"

    with pytest.raises(RouterFailed, match="is missing, and has a sha256"):
        load(folder, kind="causal", sha256="0" * 64)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    """Be it the directory, the graph or the manifest."""
    with pytest.raises(RouterFailed, match="is not a directory"):
        load(tmp_path / "nothing", kind="causal")
    with pytest.raises(RouterFailed, match=r"model\.onnx is missing"):
        load(tmp_path, kind="causal")
    with pytest.raises(RouterFailed, match=r"manifest\.json cannot be read"):
        read(tmp_path)


def edit(directory: Path, **fields: object) -> None:
    """Change some fields of the manifest by hand."""
    document = json.loads((directory / NAME).read_text())
    (directory / NAME).write_text(json.dumps(document | fields))
