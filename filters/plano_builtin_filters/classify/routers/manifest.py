"""`manifest.json`: what a model directory holds, where it came from, and the hash of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from plano_builtin_filters.classify.routers.prompts import TemplateName, find
from plano_builtin_filters.classify.routers.protocol import RouterFailed

NAME: Final = "manifest.json"
GRAPH: Final = "model.onnx"
_CHUNK: Final = 1 << 20
Kind = Literal["encoder", "causal"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _plain(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or name in ("", ".", NAME):
        raise ValueError(f"{name!r} is not a file of this directory")
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Strict):
    """One file of a model."""

    sha256: Sha256
    size: int = Field(ge=0)
    """Bytes."""


class Parity(_Strict):
    """How far the exported graph is from the model it was made of, on some sample prompts."""

    max_difference: float
    """The largest difference of a logit."""
    relative: float
    """The root mean square difference of logits, over their standard deviation."""
    split: float
    """The largest difference of a logit between a prompt read whole and one read in two parts."""
    same_first: float
    """The share of prompts that get the same likeliest next token."""
    prompts: int


class Manifest(_Strict):
    """The whole document."""

    format: Literal[1] = 1
    kind: Kind
    name: str
    """Of the model, as people know it: `katanemo/Arch-Router-1.5B`."""
    licence: str | None = None
    """Of the weights; None if the source did not say."""
    template: TemplateName | None = None
    """How a causal model is asked."""
    source: str | None = None
    """Where the weights came from, with a revision if there is one."""
    dtype: str = "fp32"
    temperature: float = Field(default=1.0, gt=0)
    """What the scores are divided by, so that confidences are true; fitted, see `calibrate`."""
    parity: Parity | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """What only this kind of model has."""
    files: dict[Annotated[str, AfterValidator(_plain)], File] = Field(default_factory=dict)
    """By their name in the directory, with `/`. Empty: nothing was verified."""

    @property
    def verified(self) -> bool:
        """Whether the files are what the manifest says; a plain export says nothing."""
        return bool(self.files)


def load(directory: Path, *, kind: Kind, sha256: str | None = None) -> Manifest:
    """Read and verify a model directory.

    Args:
        directory: Holds `manifest.json`, or is a plain export without one.
        kind: What the router can run.
        sha256: Of `manifest.json`, as declared by whoever trusts it. It then must exist.

    Raises:
        RouterFailed: Something is missing, or not what its hash says.
    """
    if not directory.is_dir():
        raise RouterFailed("unavailable", f"{directory} is not a directory")
    if not (directory / NAME).is_file():
        if sha256 is not None:
            raise RouterFailed("unavailable", f"{directory / NAME} is missing, and has a sha256")
        return _unverified(directory, kind)
    manifest = read(directory, sha256=sha256)
    if manifest.kind != kind:
        raise RouterFailed("unavailable", f"{directory} is of kind {manifest.kind}, not {kind}")
    verify(directory, manifest)
    return manifest


def read(directory: Path, *, sha256: str | None = None) -> Manifest:
    """Read `manifest.json`, without looking at the files.

    Raises:
        RouterFailed: It is missing, is no manifest, or does not have the declared hash.
    """
    path = directory / NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RouterFailed("unavailable", f"{path} cannot be read: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256.lower():
        raise RouterFailed("unavailable", f"{path} does not have the declared sha256")
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RouterFailed("unavailable", f"{path}: {where}: {first['msg']}") from error


def verify(directory: Path, manifest: Manifest) -> None:
    """Compare every file with its hash, and see that no graph is there without one.

    Raises:
        RouterFailed: Names the first file that is missing, corrupt or unknown.
    """
    for name, file in manifest.files.items():
        path = directory / name
        if not path.is_file():
            raise RouterFailed("unavailable", f"{path} is missing")
        if path.stat().st_size != file.size or digest(path) != file.sha256:
            raise RouterFailed("unavailable", f"{path} is corrupt: not the file of the manifest")
    for path in directory.glob("*.onnx*"):
        if path.name not in manifest.files:
            raise RouterFailed("unavailable", f"{path} is not in the manifest")


def write(directory: Path, manifest: Manifest, files: Iterable[str]) -> str:
    """Write `manifest.json` with the hashes of some files of the directory; return its own."""
    hashes = {name: describe(directory / name) for name in sorted(files)}
    document = manifest.model_copy(update={"files": hashes}).model_dump(mode="json")
    content = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    Manifest.model_validate_json(content)  # what is written can be read
    (directory / NAME).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def describe(path: Path) -> File:
    """Return hash and size of a file."""
    return File(sha256=digest(path), size=path.stat().st_size)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty if there is no such file.

    Raises:
        RouterFailed: It is something else.
    """
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RouterFailed("unavailable", f"{path} is not JSON") from error
    if not isinstance(document, dict):
        raise RouterFailed("unavailable", f"{path} is not an object")
    return document


def _unverified(directory: Path, kind: Kind) -> Manifest:
    """Describe a plain export by its folder and its configuration."""
    if not (directory / GRAPH).is_file():
        raise RouterFailed("unavailable", f"{directory / GRAPH} is missing")
    name = directory.name
    said = read_json(directory / "config.json").get("_name_or_path")
    if isinstance(said, str) and said and not Path(said).is_absolute():
        name = said
    template = find(f"{name} {directory.name}").name if kind == "causal" else None
    return Manifest(kind=kind, name=name, template=template)
