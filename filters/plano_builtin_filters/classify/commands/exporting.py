"""`routers export`: a causal model for the `onnx` router."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from plano_builtin_filters.classify.commands import base
from plano_builtin_filters.classify.routers import manifest
from plano_builtin_filters.classify.routers.prompts import TemplateName

DTYPES = ("fp32", "fp16", "int8", "int4")


@base.app.command("export")
def export(
    source: Annotated[str, typer.Argument(help="A folder with safetensors, or a hub's model id.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The directory to make.")],
    *,
    dtype: Annotated[
        str, typer.Option(help="int8 or int4 for a CPU, fp16 for CUDA, fp32 to compare.")
    ] = "int8",
    name: Annotated[str | None, typer.Option(help="Of the model; default: the source's.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Of the weights; default: the model card's.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="How it is asked, if its name does not tell.")
    ] = None,
) -> None:
    """Export a causal model to ONNX, and compare it with the original."""
    with base.reported():
        _one_of("--dtype", dtype, DTYPES)
        if template is not None:
            _one_of("--template", template, get_args(TemplateName))
        try:
            from plano_builtin_filters.classify.routers import export as exporter  # noqa: PLC0415
        except ImportError as error:
            base.stop(f"exporting needs {error.name}: pip install 'plano-filters[export]'", 1)
        try:
            with base.progress("exporting", 1.0) as show:
                exporter.export(
                    source,
                    out,
                    dtype=cast("exporter.Dtype", dtype),
                    name=name,
                    licence=licence,
                    template=cast("TemplateName | None", template),
                    report=_teller(show),
                )
        except exporter.ExportFailed as error:
            base.stop(str(error), 1)
        path = out / manifest.NAME
        found = manifest.read(out)
    _say(found)
    print(f"{path}  sha256 {manifest.digest(path)}")  # noqa: T201


def _teller(show: Callable[[float, str], None]) -> Callable[[str, float], None]:
    """Return what is told the steps: a bar on a terminal, else a line each on stderr."""

    def tell(step: str, done: float) -> None:
        if sys.stderr.isatty():
            show(done, step)
        else:
            print(f"{done * 100:3.0f} % {step}", file=sys.stderr)  # noqa: T201

    return tell


def _say(found: manifest.Manifest) -> None:
    size = sum(file.size for file in found.files.values())
    print(f"{found.name}, {found.dtype}, {size / 1e6:.1f} MB, licence {found.licence or 'unknown'}")  # noqa: T201
    if found.parity is not None:
        print(  # noqa: T201
            f"differs from the original by {found.parity.relative:.2g} of the logits' deviation"
        )


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise base.WrongInput(f"{option} must be one of {', '.join(allowed)}")
