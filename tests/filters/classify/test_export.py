"""Exporting: what comes out computes what went in, or nothing comes out."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from plano_builtin_filters.classify.routers.causal import CausalModel, Text
from plano_builtin_filters.classify.routers.export import (
    TOLERANCE,
    Dtype,
    ExportFailed,
    _prompts,
    compare,
    export,
    licence_of,
    need,
)
from plano_builtin_filters.classify.routers.graph import cut
from plano_builtin_filters.classify.routers.manifest import load, read
from tests.filters.classify import tiny


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_an_export_is_close_to_torch(
    tmp_path_factory: pytest.TempPathFactory, dtype: Dtype
) -> None:
    """As close as its precision allows, and the manifest says how close."""
    directory = tiny.exported(tmp_path_factory, dtype)
    manifest = load(directory, kind="causal")

    assert manifest.dtype == dtype
    assert manifest.parity is not None
    assert manifest.parity.relative <= TOLERANCE[dtype]
    assert manifest.parity.split < 1e-3  # what is read in parts is what is read whole
    tokens = list(range(200))
    logits, _ = CausalModel.open(directory, device="cpu", threads=1).forward(tokens)
    expected = tiny.logits(tmp_path_factory, tokens)
    assert np.corrcoef(logits, expected)[0, 1] > 1 - TOLERANCE[dtype] ** 2


def test_the_manifest_says_where_it_came_from(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name, source, licence of the model card, template, and every file with its hash."""
    directory = tiny.exported(tmp_path_factory)
    manifest = read(directory)

    assert (manifest.name, manifest.source, manifest.licence) == ("tiny", "tiny", "made-up")
    assert (manifest.kind, manifest.template) == ("causal", "arch-router")
    files = {path.name for path in directory.iterdir()} - {"manifest.json"}
    assert set(manifest.files) == files
    assert {"model.onnx", "tokenizer.json", "chat_template.jinja", "config.json"} <= files
    text = (directory / "config.json").read_text() + (
        directory / "tokenizer_config.json"
    ).read_text()
    assert str(directory.parent) not in text


def test_a_wrong_graph_is_noticed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scores of other prompts are as far away as scores can be."""
    directory = tiny.exported(tmp_path_factory)
    model = CausalModel.open(directory, device="cpu", threads=1)
    prompts = _prompts(Text(directory), "arch-router")[:2]
    right = [model.forward(prompt)[0] for prompt in prompts]

    assert compare(model, prompts, right).relative == 0
    assert compare(model, prompts, right[::-1]).relative > max(TOLERANCE.values())


def test_progress_is_reported(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """Each step by name, ever further, to the end."""
    tiny.exported(tmp_path_factory)
    steps: list[tuple[str, float]] = []
    source = tiny.shared(tmp_path_factory) / "tiny"

    manifest = export(
        "someone/Plano-Orchestrator-tiny",
        tmp_path / "out",
        download=lambda name: source,
        report=lambda step, done: steps.append((step, done)),
    )

    assert all(one[1] < other[1] for one, other in pairwise(steps))
    assert steps[-1] == ("done", 1.0)
    assert manifest.name == "someone/Plano-Orchestrator-tiny"
    assert manifest.source == "someone/Plano-Orchestrator-tiny@tiny"
    assert manifest.template == "plano-orchestrator"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Neither a file nor a directory with something in it."""
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path, tmp_path / "file"):
        with pytest.raises(ExportFailed, match="exists and is not empty"):
            export("nothing", out)


def test_a_model_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    """With what the hub said."""

    def unreachable(source: str) -> Path:
        raise ExportFailed(f"{source} is no folder, and cannot be had from the hub: no network")

    with pytest.raises(ExportFailed, match="someone/nothing is no folder"):
        export("someone/nothing", tmp_path / "out", download=unreachable)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExportFailed, match="is no causal model"):
        export(str(tmp_path / "empty"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_graph_without_a_vocabulary_at_its_end_is_refused() -> None:
    """Its scores cannot be cut, and whoever wants them whole has to say so."""
    onnx = need("onnx")
    values = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 2]) for n in "xyz"]
    for node, said in (
        (onnx.helper.make_node("Relu", ["x"], ["logits"]), "ends in Relu"),
        (onnx.helper.make_node("MatMul", ["x", "y"], ["logits"]), "cannot be found"),
    ):
        output = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, 2])
        graph = onnx.helper.make_graph([node], "g", values, [output])

        with pytest.raises(ValueError, match=said):
            cut(onnx.helper.make_model(graph))


def test_a_missing_extra_is_named() -> None:
    """With what to install."""
    with pytest.raises(ExportFailed, match=r"pip install 'plano-filters\[export\]'"):
        need("a_module_that_does_not_exist")


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    """Before it is exported, and nothing is left behind."""
    tiny.make(tmp_path / "base", chat=False)

    with pytest.raises(ExportFailed, match="has no chat template"):
        export(str(tmp_path / "base"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\n---\n# Model", "apache-2.0"),
        ("---\nlicense: other\nlicense_name: katanemo-research\n---\n", "katanemo-research"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\ntags: [x]\n---\n", None),
        ("---\n[broken\n---\n", None),
        ("# no header", None),
        (None, None),
    ],
)
def test_the_licence_is_read_from_the_model_card(
    tmp_path: Path, card: str | None, licence: str | None
) -> None:
    """Or it is not known, and nothing is made up."""
    if card is not None:
        (tmp_path / "README.md").write_text(card)

    assert licence_of(tmp_path) == licence
