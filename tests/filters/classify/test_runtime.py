"""Which device a model runs on, and what is said if it cannot."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plano_builtin_filters.classify.routers import runtime
from plano_builtin_filters.classify.routers.protocol import RouterFailed
from plano_builtin_filters.classify.routers.runtime import (
    CPU,
    CUDA,
    Opened,
    installed,
    open_session,
    warn_of_two,
)
from tests.filters.classify import tiny


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a graph that can be run."""
    return tiny.exported(tmp_path_factory) / "model.onnx"


def fake(*, gets: str | None, fails: bool = False) -> Any:
    """Return an ONNX Runtime whose sessions get a device, or are not made."""

    def session(path: str, options: Any, providers: list[str]) -> Any:
        if fails:
            raise RuntimeError("CUDA failure 35")
        found = [name for name in providers if name in (gets, CPU)]
        return SimpleNamespace(get_providers=lambda: found)

    options = SimpleNamespace(add_session_config_entry=lambda key, value: None)
    return SimpleNamespace(
        preload_dlls=lambda: print("libcudnn.so.9 is missing"),  # noqa: T201 - as the real one does
        SessionOptions=lambda: options,
        InferenceSession=session,
    )


def test_a_model_runs_on_the_cpu_and_says_so(graph: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With as many threads as were asked for."""
    caplog.set_level(logging.INFO)
    opened = open_session(graph, device="cpu", threads=1)

    assert (opened.device, opened.where) == ("cpu", "CPU, 1 thread")
    assert list(opened.session.get_providers()) == [CPU]
    assert "runs on CPU, 1 thread" in caplog.text


@pytest.mark.parametrize(
    ("device", "threads", "said"),
    [("cpu", 0, "CPU, all cores"), ("cpu", 2, "CPU, 2 threads"), ("cuda", 2, "CUDA")],
)
def test_where_it_runs_is_said(device: Any, threads: int, said: str) -> None:
    """For the log at start."""
    session: Any = None
    assert Opened(session, device, threads).where == said


def test_cuda_that_is_not_there_is_an_error_only_where_nothing_else_will_do(graph: Path) -> None:
    """`cuda` fails and says what to install, `auto` takes the CPU without a warning."""
    if CUDA in runtime.runtime().get_available_providers():
        pytest.skip("this ONNX Runtime is built with CUDA")

    with pytest.raises(RouterFailed, match=r"install plano-filters\[gpu\]") as caught:
        open_session(graph, device="cuda", threads=1)
    assert caught.value.reason == "unavailable"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_session(graph, device="auto", threads=1).device == "cpu"


def test_a_session_is_asked_what_it_got(capsys: pytest.CaptureFixture[str]) -> None:
    """ONNX Runtime lists CUDA as available wherever it was compiled in, and falls back silently."""
    path = Path("model.onnx")

    found = runtime._on_cuda(fake(gets=CUDA), path, 1, strict=True)
    assert found is not None
    assert found.device == "cuda"

    assert runtime._on_cuda(fake(gets=None), path, 1, strict=False) is None
    with pytest.raises(RouterFailed, match="found no GPU"):
        runtime._on_cuda(fake(gets=None), path, 1, strict=True)

    assert runtime._on_cuda(fake(gets=None, fails=True), path, 1, strict=False) is None
    with pytest.raises(RouterFailed, match="CUDA failure 35"):
        runtime._on_cuda(fake(gets=None, fails=True), path, 1, strict=True)
    assert capsys.readouterr().out == ""


def test_two_distributions_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """They overwrite each other's files, and nobody else says so."""
    warn_of_two(["onnxruntime"])
    assert not caplog.records

    warn_of_two(["onnxruntime", "onnxruntime-gpu"])
    assert "onnxruntime and onnxruntime-gpu are both installed" in caplog.text
    assert len(installed()) == 1


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    """Missing, or something else; in few words, where ONNX Runtime needs many."""
    path = tmp_path / "model.onnx"
    with pytest.raises(RouterFailed, match="is missing"):
        open_session(path, device="cpu", threads=1)

    path.write_bytes(b"no graph at all")
    with pytest.raises(RouterFailed, match=r"model\.onnx cannot be loaded") as caught:
        open_session(path, device="cpu", threads=1)
    assert len(str(caught.value)) < 400
