"""`migrate --write` changes the text only where it must, and never the meaning."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.config.rewrite import rewrite
from plano_filters.config.show import effective
from plano_filters.errors import ConfigError
from tests.framework.config.reading import EXAMPLES, read

OLD = """\
# Ours.
version: v0.1.0   # the version

listeners:
  # out
  egress_traffic:  # to providers
    # the port
    port: 12000
    message_format: openai
    timeout: 30s

llm_providers:   # all of them
  # the first
  - model: openai/gpt-4o
    access_key: $OPENAI_API_KEY # its key
    default: true
    routing_preferences:
      - name: code
        description: writing code
  - {model: openai/o3, routing_preferences: [{name: code, description: "writing code"}]}

# short names
model_aliases:
  fast: {target: gpt-4o}
"""
NEW = """\
# Ours.
version: v0.4.0   # the version

listeners:
  # out
  - type: model  # to providers
    name: egress_traffic
    # the port
    port: 12000
    timeout: 30s

model_providers:   # all of them
  # the first
  - model: openai/gpt-4o
    access_key: $OPENAI_API_KEY # its key
    default: true
  - {model: openai/o3}

routing_preferences:
  - name: code
    description: writing code
    models:
    - openai/gpt-4o
    - openai/o3

# short names
model_aliases:
  fast: {target: gpt-4o}
"""


def test_comments_and_layout_stay() -> None:
    """Only the lines that the migration is about change."""
    assert rewrite(OLD, "plano.yaml") == NEW


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_rewritten_text_means_the_same(example: Path) -> None:
    """The effective document of every example is that of its migration, which is then settled."""
    text = example.read_text()

    changed = rewrite(text, "plano.yaml")

    before, after = (read(each, compat="warn").document for each in (text, changed))
    assert effective(after) == effective(before)
    assert rewrite(changed, "plano.yaml") == changed
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in comments if line.strip() not in changed] == []


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (NEW, NEW),
        (OLD.replace("\n", "\r\n"), NEW.replace("\n", "\r\n")),
        ("\ufeff" + OLD, "\ufeff" + NEW),
        ("# a\nmodel_aliases: {}\n", "# a\nversion: v0.4.0\nmodel_aliases: {}\n"),
        (
            "version: v0.1\nlisteners:\n  egress_traffic:\n",
            (
                "version: v0.4.0\nlisteners:\n  - type: model\n    name: egress_traffic\n"
                "    port: 12000\n"
            ),
        ),
        (
            (
                "version: v0.1\nlisteners:\n  egress_traffic:\n    port: 1\n    llm_providers:\n"
                "      # mine\n      - model: a/b\n"
            ),
            (
                "version: v0.4.0\nlisteners:\n  - type: model\n    name: egress_traffic\n"
                "    port: 1\n\nmodel_providers:\n  # mine\n  - model: a/b\n"
            ),
        ),
        (
            "version: v0.3.0\nlisteners:\n- {name: a, filter_chain: [x]}\n",
            "version: v0.4.0\nlisteners:\n- {name: a, input_filters: [x]}\n",
        ),
        (
            (
                "version: v0.3.0\nmodel_providers:\n"
                "- {routing_preferences: [{name: a}], model: a/b}\n"
                "routing_preferences:\n- name: z\n"
            ),
            (
                "version: v0.4.0\nmodel_providers:\n- {model: a/b}\n"
                "routing_preferences:\n- name: z\n- name: a\n  models:\n  - a/b\n"
            ),
        ),
    ],
)
def test_rewrite(text: str, changed: str) -> None:
    """Line ends, a byte order mark, empty listeners and flow style are kept."""
    assert rewrite(text, "plano.yaml") == changed


@pytest.mark.parametrize(
    "text",
    [
        "{version: v0.1, listeners: {egress_traffic: {port: 1}}}",
        "listeners: {egress_traffic: {port: 1, llm_providers: [{model: a/b}]}}\n",
        "listeners:\n egress_traffic:\n  port: 1",
        "listeners:\n  egress_traffic: {port: 1}\n",
        "model_providers:\n- routing_preferences: [{name: x}]\n  model: a/b\n",
        (
            "routing_preferences: []\nmodel_providers:\n- model: a/b\n  routing_preferences:\n"
            "  - name: |\n      x\n\n"
        ),
    ],
)
def test_a_layout_no_step_can_edit_is_written_out_anew(text: str) -> None:
    """Comments are lost then, the meaning is not."""
    changed = rewrite(text, "plano.yaml")

    assert read(changed).document == read(text).document
    assert rewrite(changed, "plano.yaml") == changed


def test_what_cannot_be_migrated_is_not_rewritten() -> None:
    """The file stays as it is, and the reason is told."""
    with pytest.raises(ConfigError, match="is a wildcard"):
        rewrite("model_providers: [{model: a/*, routing_preferences: [{name: x}]}]", "plano.yaml")


@st.composite
def old_documents(draw: st.DrawFn) -> str:
    """Write documents of older versions in several layouts."""
    pad = " " * draw(st.integers(1, 4))
    key = draw(st.sampled_from(["llm_providers", "model_providers"]))
    lines = [f"version: {draw(st.sampled_from(['v0.1', '0.2.0', 'v0.3.0']))}"]
    if draw(st.booleans()):
        lines += ["listeners: # l", f"{pad}egress_traffic: # e", f"{pad}{pad}timeout: 3s # t"]
    lines.append(f"{key}: # p")
    for index in range(draw(st.integers(1, 3))):
        lines += [f"{pad}# number {index}", f"{pad}- model: openai/m{index}"]
        for name in draw(st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True)):
            if "routing_preferences" not in lines[-1] and "- name" not in lines[-2]:
                lines.append(f"{pad}  routing_preferences:")
            lines += [f"{pad}  - name: {name}", f"{pad}    description: d {name}"]
    lines.append("model_aliases: {fast: {target: m0}} # a")
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n# end\n"]))


@given(old_documents())
def test_no_layout_changes_the_meaning(text: str) -> None:
    """Whatever the indentation: same document, no second change."""
    changed = rewrite(text, "plano.yaml")

    assert read(changed).document == read(text).document
    assert rewrite(changed, "plano.yaml") == changed
