"""What users write under `classify:`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from plano_builtin_filters.classify.routers.prompts import TemplateName
from plano_builtin_filters.classify.routers.runtime import Device
from plano_filters import FilterConfig
from plano_filters.config import Duration

RouterName = Literal["embedded", "onnx", "remote"]
DEADLINES: Final[dict[RouterName, float]] = {"embedded": 0.3, "onnx": 5.0, "remote": 2.0}
"""Seconds. A causal model on a CPU takes seconds; whoever chooses one accepts that."""


class ClassifyConfig(FilterConfig):
    """Which router model sorts requests, and how sure it must be."""

    router: RouterName | None = None
    """`embedded`: the small encoder that comes with the gateway. `onnx`: a causal model exported by
    `plano-filters routers export`. `remote`: an OpenAI-compatible endpoint. Default: `remote` if
    `overrides.llm_routing_model` is declared with a `base_url`, else `embedded`."""

    model: str | None = None
    """`embedded` and `onnx`: directory of a model; `embedded` has one of its own. `remote`: the
    model to ask, as declared in `model_providers`; default: `overrides.llm_routing_model`."""

    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Of the model's `manifest.json`, which has the hashes of all other files. A model that is
    another one is not loaded."""

    template: TemplateName | None = None
    """The prompt of `onnx` and `remote`. Default: the one the model was trained on, by its name."""

    min_confidence: float = Field(default=0.0, ge=0, le=1)
    """Least probability of the best route. Below it, the request goes on as if none fitted."""

    deadline: Duration | None = Field(default=None, gt=0)
    """Longest time to wait for a decision. Default: 300ms embedded, 5s onnx, 2s remote."""

    queue: int = Field(default=64, ge=1)
    """Most requests that may wait for the model of this process."""

    device: Device = "auto"
    """`auto`: CUDA for `onnx` where it works, else the CPU. `cuda`: nothing else."""

    threads: int = Field(default=1, ge=0)
    """Cores that one inference may use; 0 for all. What it takes, streams do not have."""

    max_tokens: int | None = Field(default=None, ge=256)
    """Longest prompt of `onnx` and `remote`; older turns are left out first. Default:
    `overrides.orchestrator_model_context_length` if it is set, else what the model was trained
    for."""

    structured: bool = False
    """`remote`: ask for a JSON schema that allows only the names of the routes."""

    cache_entries: int = Field(default=1024, ge=0)
    """Decisions to remember, by routes and conversation. 0: none."""

    kv_cache_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    """`onnx`: memory for what the model has read already: routes, and conversations of sessions."""
