"""`routers list`: which routers can run here, and the model that comes with the gateway."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import typer

from plano_builtin_filters.classify.commands import base
from plano_builtin_filters.classify.routers import manifest, runtime
from plano_builtin_filters.classify.routers.protocol import RouterFailed

_SUMMARIES: Final = {
    "embedded": "a small encoder in this process; comes with the gateway",
    "onnx": "a causal model in this process, made by `plano-filters routers export`",
    "remote": "an OpenAI-compatible endpoint",
}
_NEEDED: Final = ("numpy", "tokenizers", "onnxruntime")


@base.app.command("list")
def list_(ctx: typer.Context, *, json: base.Json = False) -> None:
    """List the routers: whether they can run here and on what, and the bundled model."""
    told = survey(base.Kit.of(ctx).bundled)
    if json:
        base.print_json(told)
        return
    for name, row in told["routers"].items():
        print(f"{name:<10}{row['summary']}")  # noqa: T201
        print(f"{'':<10}{_state(row)}")  # noqa: T201
    bundled = told["bundled"]
    print(f"\nbundled model: {bundled['name'] or 'none'}")  # noqa: T201
    if bundled["name"]:
        print(  # noqa: T201
            f"{'':<10}{bundled['size'] / 1e6:.1f} MB, {bundled['dtype']},"
            f" licence {bundled['licence'] or 'unknown'}, temperature {bundled['temperature']:g}"
        )
    state = "verified: every file has the hash of the manifest"
    print(f"{'':<10}{state if bundled['verified'] else bundled['problem']}")  # noqa: T201


def survey(bundled: Path) -> dict[str, Any]:
    """Return what `--json` prints."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    devices, problem = ["cpu"], None
    if missing:
        problem = f"{', '.join(missing)} missing: pip install 'plano-filters[cpu]'"
    else:
        try:
            cuda = runtime.CUDA in runtime.runtime().get_available_providers()
            devices += ["cuda"] if cuda else []
        except RouterFailed as error:
            problem = str(error)
    local = {"runs": problem is None, "problem": problem}
    model = _bundled(bundled)
    embedded = dict(local)
    if problem is None and not model["verified"]:
        embedded = {"runs": False, "problem": model["problem"]}
    rows: dict[str, dict[str, Any]] = {
        # the encoder is too small to gain from a GPU, and always runs on the CPU
        "embedded": {**embedded, "devices": ["cpu"]},
        "onnx": {**local, "devices": devices},
        "remote": {"runs": True, "problem": None, "devices": []},
    }
    return {
        "routers": {name: {"summary": _SUMMARIES[name], **row} for name, row in rows.items()},
        "onnxruntime": list(runtime.installed()),
        "bundled": model,
    }


def _bundled(directory: Path) -> dict[str, Any]:
    """Describe the bundled model; every file is read to compare its hash."""
    told: dict[str, Any] = dict.fromkeys(
        ("name", "licence", "dtype", "temperature", "size", "problem", "sha256", "trained_on")
    )
    try:
        found = manifest.read(directory)
        told |= {
            "name": found.name,
            "licence": found.licence,
            "dtype": found.dtype,
            "temperature": found.temperature,
            "size": sum(file.size for file in found.files.values()),
            "sha256": manifest.digest(directory / manifest.NAME),
            "trained_on": found.settings.get("trained_on"),
        }
        manifest.verify(directory, found)
        problem = None if found.verified else "not verified: the manifest has no hashes"
    except RouterFailed as error:
        problem = str(error)
    return {**told, "verified": problem is None, "problem": problem}


def _state(row: dict[str, Any]) -> str:
    if not row["runs"]:
        return f"cannot run here: {row['problem']}"
    if "cuda" in row["devices"]:
        # what was compiled in; whether there is a GPU shows when a model is loaded
        return "can run here: CPU, or CUDA where the driver finds a GPU"
    return "can run here: CPU" if row["devices"] else "can run: `model` and a provider's `base_url`"
