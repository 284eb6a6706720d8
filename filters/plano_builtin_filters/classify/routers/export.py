"""Exporting a causal model for the `onnx` router: optimum, quantisation, a check against torch.

Needs the extra `export`; what it writes does not.
"""

from __future__ import annotations

import logging
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import yaml
from numpy.typing import NDArray

from plano_builtin_filters.classify.routers import graph
from plano_builtin_filters.classify.routers.causal import CausalModel, Text
from plano_builtin_filters.classify.routers.manifest import (
    GRAPH,
    Manifest,
    Parity,
    write,
)
from plano_builtin_filters.classify.routers.prompts import TEMPLATES, TemplateName, find
from plano_builtin_filters.classify.routers.protocol import RouteOption, RouterFailed, Turn

Dtype = Literal["fp32", "fp16", "int8", "int4"]
Report = Callable[[str, float], None]
"""Told the step that begins, and the share of the whole that is done."""

TOLERANCE: Final[dict[Dtype, float]] = {"fp32": 1e-3, "fp16": 0.03, "int8": 0.15, "int4": 0.8}
"""The largest `Parity.relative` that passes. Sound exports have about 1e-5, 0.002, 0.04 and 0.25;
a wrong mask, position or cache gives 1 and more."""
_BLOCKS: Final[dict[Dtype, tuple[int, int]]] = {"int8": (8, 64), "int4": (4, 32)}
"""Bits, and the weights that share a scale.

What is read in parts must be what is read whole, or the prefix cache changes answers. So there is
no dynamic quantisation, whose scale is that of a whole tensor; and no block of 128 in 8 bits, for
which ONNX Runtime rounds an odd last row in another way (measured: a logit of 1.5, at no gain).
"""
_INT8_ACTIVATIONS: Final = 4
"""The kernel's accuracy level that computes in int8, with a scale for each block: the fastest."""
_FILES: Final = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "README.md", "LICENSE*")
"""What is fetched. No pickles: reading one runs code."""
_INLINE_BYTES: Final = 1_500_000_000
"""A graph with more weights keeps them in a file beside it; protobuf ends at 2 GiB."""
_DATA: Final = "model.onnx.data"
_QUESTIONS: Final = (
    "Fix the bug in this function",
    "Write a short story about the sea.\nMake it sad.",
    "Wie wird das Wetter morgen in Köln?",
)
_ROUTES: Final = (
    RouteOption("code", "writing, explaining and fixing program code"),
    RouteOption("creative writing", "stories, poems and other creative texts"),
)


class ExportFailed(Exception):
    """There is no export; the message says what to do about it."""


def export(
    source: str,
    out: Path,
    *,
    dtype: Dtype = "fp32",
    name: str | None = None,
    licence: str | None = None,
    template: TemplateName | None = None,
    cut_logits: bool = True,
    download: Callable[[str], Path] | None = None,
    report: Report = lambda step, done: None,
) -> Manifest:
    """Export a model and verify it.

    Args:
        source: A folder with safetensors, or the id of a model on the Hugging Face hub.
        out: The directory to make; it must not hold anything.
        dtype: int8 for a CPU, fp16 for CUDA.
        name: Of the model, if not that of the source.
        licence: Of the weights, if the source does not say.
        template: How the model is asked, if its name does not tell.
        cut_logits: Compute scores only where they are asked for.
        download: Brings a model from the hub and returns its folder.
        report: For a progress bar.

    Raises:
        ExportFailed: Something is missing, or the export does not compute what the model does.
    """
    _check(out, dtype)
    report("fetching the model", 0.0)
    if (folder := Path(source)).is_dir():
        called = origin = folder.resolve().name
    else:
        folder, called = (download or fetch)(source), source
        origin = f"{source}@{folder.name}"  # the hub names the folder after the revision
    name = name or called
    template = template or find(name).name
    work = out.with_name(f"{out.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    try:
        with _quiet():
            parity = _make(folder, work, dtype, template, cut_logits=cut_logits, report=report)
        report("hashing the files", 0.95)
        for path in folder.glob("LICENSE*"):
            shutil.copy(path, work)
        manifest = Manifest(
            kind="causal",
            name=name,
            licence=licence or licence_of(folder),
            template=template,
            source=origin,
            dtype=dtype,
            parity=parity,
        )
        write(work, manifest, [path.name for path in work.iterdir()])
        if out.exists():
            out.rmdir()
        work.rename(out)
    except (RouterFailed, ValueError, RuntimeError) as error:  # the last two from optimum
        raise ExportFailed(f"{name} cannot be exported: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report("done", 1.0)
    return manifest


def _check(out: Path, dtype: str) -> None:
    if dtype not in get_args(Dtype):
        raise ExportFailed(f"no such dtype: {dtype}; there are {', '.join(get_args(Dtype))}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportFailed(f"{out} exists and is not empty")
    for module in ("torch", "transformers", "optimum.exporters.onnx", "onnx", "onnx_ir"):
        need(module)


def need(module: str) -> Any:
    """Import what only an export needs.

    Raises:
        ExportFailed: It is not installed.
    """
    try:
        with _quiet():
            return import_module(module)
    except ImportError as error:
        raise ExportFailed(
            f"exporting needs {error.name}: pip install 'plano-filters[export]'"
        ) from error


def fetch(source: str) -> Path:
    """Bring a model from the Hugging Face hub, or from its local cache.

    Raises:
        ExportFailed: It cannot be had.
    """
    hub = need("huggingface_hub")
    try:
        return Path(hub.snapshot_download(source, allow_patterns=list(_FILES)))
    except Exception as error:  # many classes, of several libraries
        said = str(error).strip().partition("\n")[0]
        raise ExportFailed(
            f"{source} is no folder, and cannot be had from the hub: {said}"
        ) from error


def licence_of(folder: Path) -> str | None:
    """Read the licence that a model card declares; None if it declares none."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    found = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        head = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        return None
    if not isinstance(head, dict):
        return None
    licence = head.get("license")
    named = head.get("license_name") if licence == "other" else licence
    return str(named or licence) if named or licence else None


def _make(
    folder: Path,
    work: Path,
    dtype: Dtype,
    template: TemplateName,
    *,
    cut_logits: bool,
    report: Report,
) -> Parity:
    """Export into a directory, and compare it with torch."""
    torch, transformers, optimum = (
        need(module) for module in ("torch", "transformers", "optimum.exporters.onnx")
    )
    work.mkdir(parents=True)
    report("loading the model", 0.05)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        ).eval()
    except Exception as error:  # of many classes, AttributeError among them
        said = str(error).strip().partition("\n")[0]
        raise ExportFailed(f"{folder.name} is no causal model: {said}") from error
    tokenizer.save_pretrained(work)
    text = Text(work)  # fails here, before minutes of work, if there is no chat template
    prompts = _prompts(text, template)
    report("asking torch", 0.15)
    with torch.no_grad():
        expected = [model(torch.tensor([p])).logits[0, -1].float().numpy() for p in prompts]
    report("exporting", 0.2)
    if dtype == "fp16":
        model = model.half()  # norms and positions stay in fp32, as the model's own code has them
    optimum.onnx_export_from_model(
        model, work, task="text-generation-with-past", do_validation=False, device="cpu"
    )
    del model
    report("rewriting the graph", 0.6)
    _rewrite(work, dtype, cut_logits=cut_logits)
    report("comparing with torch", 0.85)
    parity = compare(CausalModel.open(work, device="cpu"), prompts, expected)
    if not parity.relative <= TOLERANCE[dtype]:  # also if it is no number
        raise ExportFailed(
            f"the {dtype} export differs from torch by {parity.relative:.2g} of the logits'"
            f" deviation; {TOLERANCE[dtype]:g} is allowed"
        )
    return parity


def compare(
    model: CausalModel, prompts: Sequence[list[int]], expected: Sequence[NDArray[Any]]
) -> Parity:
    """Compare the scores after some prompts with what they should be."""
    whole, split = [], []
    for prompt in prompts:
        half = len(prompt) // 2
        _, past = model.forward(prompt[:half])
        split.append(model.forward(prompt[half:], past)[0])
        whole.append(model.forward(prompt)[0])
    got, parts, want = np.stack(whole), np.stack(split), np.stack(list(expected))
    want = want[:, : got.shape[1]]
    return Parity(
        max_difference=float(np.abs(got - want).max()),
        relative=float(np.sqrt(np.mean((got - want) ** 2)) / want.std()),
        split=float(np.abs(got - parts).max()),
        same_first=float(np.mean(got.argmax(1) == want.argmax(1))),
        prompts=len(prompts),
    )


def _prompts(text: Text, template: TemplateName) -> list[list[int]]:
    asked = TEMPLATES[template]
    turns = [[Turn("user", question)] for question in _QUESTIONS]
    turns.append([*turns[0], Turn("assistant", "Here it is."), *turns[1]])
    return [text.encode(text.chat(asked.prompt(some, _ROUTES).text)) for some in turns]


def _rewrite(work: Path, dtype: Dtype, *, cut_logits: bool) -> None:
    onnx = need("onnx")
    model = onnx.load(work / GRAPH)
    for path in work.glob("*.onnx*"):
        path.unlink()
    if cut_logits:
        graph.cut(model)
    if dtype in _BLOCKS:
        bits, block = _BLOCKS[dtype]
        model = graph.quantise(model, bits=bits, block=block, accuracy=_INT8_ACTIVATIONS)
    size = sum(len(weight.raw_data) for weight in model.graph.initializer)
    onnx.save(
        model,
        work / GRAPH,
        save_as_external_data=size > _INLINE_BYTES,
        location=_DATA,
        all_tensors_to_one_file=True,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the libraries say to their own developers, and how they want it logged."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers, level = root.handlers[:], root.level
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers  # ONNX Runtime's quantiser configures the root logger
        root.setLevel(level)
