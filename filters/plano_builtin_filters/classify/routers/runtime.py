"""ONNX Runtime: the only place that imports it, and the only one that knows of devices."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from plano_builtin_filters.classify.routers.protocol import RouterFailed

Device = Literal["auto", "cpu", "cuda"]
log = logging.getLogger(__name__)

CUDA: Final = "CUDAExecutionProvider"
CPU: Final = "CPUExecutionProvider"
_DISTRIBUTIONS: Final = ("onnxruntime", "onnxruntime-gpu")
_ERRORS_ONLY: Final = 3
_FATAL_ONLY: Final = 4
_DETAIL: Final = 300
"""Characters kept of ONNX Runtime's own words, which can go on for pages."""


class Session(Protocol):
    """What we use of `onnxruntime.InferenceSession`, which has no types of its own."""

    def get_inputs(self) -> Sequence[Any]:
        """Return name, type and shape of each input."""

    def get_outputs(self) -> Sequence[Any]:
        """Return name, type and shape of each output."""

    def get_providers(self) -> Sequence[str]:
        """Return what it really runs on, best first."""

    def run(self, names: Sequence[str] | None, feed: Mapping[str, Any]) -> list[Any]:
        """Run once, on numpy arrays."""

    def io_binding(self) -> Any:
        """Return a binding of inputs and outputs to where they lie."""

    def run_with_iobinding(self, binding: Any) -> None:
        """Run once, on what is bound."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that is ready to run."""

    session: Session
    device: Literal["cpu", "cuda"]
    threads: int
    """On the CPU; 0 where ONNX Runtime chose, one for each core."""

    @property
    def where(self) -> str:
        """Say on what it runs: `CPU, 2 threads`."""
        if self.device == "cuda":
            return "CUDA"
        if self.threads == 0:
            return "CPU, all cores"
        return f"CPU, {self.threads} thread{'s' if self.threads > 1 else ''}"


def runtime() -> Any:
    """Import ONNX Runtime.

    Raises:
        RouterFailed: It is not installed.
    """
    try:
        module = import_module("onnxruntime")
    except ImportError as error:
        raise RouterFailed(
            "unavailable",
            "onnxruntime is not installed: pip install 'plano-filters[cpu]', or [gpu] for CUDA",
        ) from error
    if not hasattr(module, "InferenceSession"):  # what is left after one of two was uninstalled
        raise RouterFailed(
            "unavailable",
            "the installation of onnxruntime is broken: uninstall onnxruntime and onnxruntime-gpu,"
            " then install plano-filters[cpu] or plano-filters[gpu] again",
        )
    return module


def installed() -> tuple[str, ...]:
    """Return which distributions of ONNX Runtime are installed."""
    found = []
    for name in _DISTRIBUTIONS:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    return tuple(found)


def warn_of_two(distributions: Sequence[str]) -> None:
    """Warn if two distributions own the same package folder; neither pip nor the import does."""
    if len(distributions) > 1:
        log.warning(
            "%s are both installed and overwrite each other: uninstall both, then install one",
            " and ".join(distributions),
        )


def open_session(path: Path, *, device: Device = "auto", threads: int = 0) -> Opened:
    """Load a model.

    Args:
        path: The `.onnx` file; weights beside it are found.
        device: `auto` takes CUDA where a session really gets it, else the CPU. `cuda` takes
            nothing else.
        threads: Of one run, on the CPU. 0 for one a core.

    Raises:
        RouterFailed: No ONNX Runtime, no such device, or a file it cannot read.
    """
    ort = runtime()
    warn_of_two(installed())
    if not path.is_file():
        raise RouterFailed("unavailable", f"{path} is missing")
    wanted = device != "cpu" and CUDA in ort.get_available_providers()
    if device == "cuda" and not wanted:
        raise RouterFailed("unavailable", f"device cuda: {_no_cuda()}")
    opened = _on_cuda(ort, path, threads, strict=device == "cuda") if wanted else None
    if opened is None:
        session = _session(ort, path, [CPU], _options(ort, threads, _ERRORS_ONLY))
        opened = Opened(session, "cpu", threads)
    log.info("%s runs on %s", path.parent.name, opened.where)
    return opened


def _on_cuda(ort: Any, path: Path, threads: int, *, strict: bool) -> Opened | None:
    """Open a session on CUDA; None where there is none, unless nothing else will do.

    The list of available providers says what was compiled in, and a session that cannot have CUDA
    silently takes the CPU, so the session itself is asked. The option that forbids the CPU
    (`session.disable_cpu_ep_fallback`) cannot be used: ONNX Runtime leaves the arithmetic on
    shapes there on purpose, and with that option refuses every exported language model.
    """
    with redirect_stdout(StringIO()) as said:  # it prints what it does not find
        ort.preload_dlls()
    log.debug("preloading CUDA: %s", said.getvalue())
    options = _options(ort, threads, _ERRORS_ONLY if strict else _FATAL_ONLY)
    try:
        session = _session(ort, path, [CUDA, CPU], options)
    except RouterFailed as error:
        if strict:
            raise
        log.warning("not on CUDA: %s", error)
        return None
    if CUDA in session.get_providers():
        return Opened(session, "cuda", threads)
    if strict:
        raise RouterFailed(
            "unavailable", "device cuda: ONNX Runtime found no GPU, or not its CUDA and cuDNN"
        )
    log.info("onnxruntime-gpu found no GPU, or not its CUDA and cuDNN: taking the CPU")
    return None


def _no_cuda() -> str:
    return "this ONNX Runtime is built without CUDA: install plano-filters[gpu] instead of [cpu]"


def _options(ort: Any, threads: int, severity: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = severity
    # Threads that spin while they wait take the core from the event loop next door.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _session(ort: Any, path: Path, providers: Sequence[str], options: Any) -> Session:
    try:
        session: Session = ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # its errors have no common class but this
        detail = " ".join(str(error).split())[:_DETAIL]
        raise RouterFailed("unavailable", f"{path.name} cannot be loaded: {detail}") from error
    return session
