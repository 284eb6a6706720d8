"""Documents for the tests of their reading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from plano_filters.config import Compat, Loaded, Problem, load_text
from plano_filters.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"
EXAMPLES = sorted(CONFIGS.glob("plano/*.yaml"))
ENV = {
    "ANTHROPIC_API_KEY": "anthropic-key",
    "AZURE_OPENAI_API_KEY": "azure-key",
    "GEMINI_API_KEY": "gemini-key",
    "INHOUSE_API_KEY": "inhouse-key",
    "MISTRAL_API_KEY": "mistral-key",
    "MOONSHOT_API_KEY": "moonshot-key",
    "OPENAI_API_KEY": "openai-key",
    "TEAM_A_KEY": "team-a-key",
    "TEAM_B_KEY": "team-b-key",
    "POSTHOG_API_KEY": "posthog-key",
    "TOGETHER_API_KEY": "together-key",
}
PROVIDERS = """\
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
  - {model: anthropic/claude-sonnet-4-5, access_key: $ANTHROPIC_API_KEY}
"""
"""A document that is right; tests append to it."""


def read(text: str, env: Mapping[str, str] = ENV, compat: Compat = "strict") -> Loaded:
    """Load text without looking at the process's environment."""
    return load_text(text, name="plano.yaml", env=env, compat=compat)


def errors_of(text: str, compat: Compat = "strict") -> list[str]:
    """Return the errors of a text as `line:column message (hint)`, in order."""
    return [_line(problem) for problem in problems_of(text, compat)]


def warnings_of(text: str, compat: Compat = "strict") -> list[str]:
    """Return the warnings of a text as `line:column message (hint)`, in order."""
    report = read(text, compat=compat).report
    return [_line(problem) for problem in report.sorted(report.warnings)]


def problems_of(text: str, compat: Compat = "strict") -> list[Problem]:
    """Return the errors of a text, in order, whether or not it could be parsed."""
    try:
        report = read(text, compat=compat).report
    except ConfigError as error:
        return [problem for problem in error.problems if isinstance(problem, Problem)]
    return report.sorted(report.errors)


def _line(problem: Problem) -> str:
    where = problem.position
    place = f"{where.line}:{where.column} " if where and where.text else ""
    return f"{place}{problem.message}" + (f" ({problem.hint})" if problem.hint else "")
