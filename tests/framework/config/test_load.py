"""From a file, or from none, to a document."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plano_filters.compile import compile_chain
from plano_filters.config import Document, discover, load, load_text, zero_config
from plano_filters.errors import ConfigError
from plano_filters.registry import Registry
from tests.framework.config.reading import EXAMPLES, PROVIDERS, read

ZERO = [
    "openai", "anthropic", "gemini", "groq", "deepseek",
    "mistral", "digitalocean", "vercel", "openrouter", "edenai",
]  # fmt: skip


def test_variables_come_from_the_environment_then_from_the_file_beside(tmp_path: Path) -> None:
    """The environment wins over `.env`."""
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-file\nANTHROPIC_API_KEY=from-file\n")
    (tmp_path / "config.yaml").write_text(PROVIDERS)

    loaded = load(tmp_path / "config.yaml", env={"OPENAI_API_KEY": "from-env"})

    keys = [entry.access_key for entry in loaded.document.model_providers]
    assert [key.reveal() for key in keys if key] == ["from-env", "from-file"]
    assert loaded.report.errors == []


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    """Missing, or not text."""
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml: No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        load(tmp_path / "binary.yaml")


def test_a_byte_order_mark_is_no_part_of_the_document(tmp_path: Path) -> None:
    """Some editors write one."""
    (tmp_path / "config.yaml").write_bytes(b"\xef\xbb\xbf" + PROVIDERS.encode())

    loaded = load(tmp_path / "config.yaml", env={"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})

    assert loaded.report.errors == []


def test_discovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file as it is, a directory's by its usual names, the first one wins."""
    monkeypatch.chdir(tmp_path)
    assert discover(None) is None
    with pytest.raises(ConfigError, match=r"neither config\.yaml nor plano_config\.yaml is in"):
        discover(tmp_path)
    assert discover(tmp_path / "my.yaml") == tmp_path / "my.yaml"

    (tmp_path / "plano_config.yaml").touch()
    assert discover(tmp_path) == tmp_path / "plano_config.yaml"
    (tmp_path / "config.yaml").touch()
    assert discover(None) == Path("config.yaml")
    assert discover(tmp_path / "plano_config.yaml") == tmp_path / "plano_config.yaml"


def test_without_a_file_every_known_provider_is_there() -> None:
    """With its key if there is one, else with the client's."""
    document = zero_config({"GROQ_API_KEY": "key"}).document

    assert [entry.model for entry in document.model_providers] == [f"{one}/*" for one in ZERO]
    with_key = [entry for entry in document.model_providers if entry.access_key is not None]
    assert [entry.model for entry in with_key] == ["groq/*"]
    assert all(entry.passthrough_auth != (entry in with_key) for entry in document.model_providers)
    assert [(one.name, one.address, one.port) for one in document.listeners] == [
        ("llm", "127.0.0.1", 12000)
    ]


def test_a_file_without_listeners_has_the_default_one() -> None:
    """As Plano adds it."""
    for text in (PROVIDERS, PROVIDERS + "listeners: []\n"):
        (listener,) = read(text).document.listeners
        assert (listener.name, listener.port, listener.timeout) == ("egress_traffic", 12000, 300.0)


def test_several_model_listeners_are_served() -> None:
    """Plano allows one."""
    text = PROVIDERS + "listeners: [{name: a, port: 1}, {name: b, port: 2}]\n"
    assert [one.name for one in read(text).document.listeners] == ["a", "b"]
    assert read(text).report.errors == []


def test_an_empty_environment_is_no_reason_to_look_at_the_processs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is passed in counts."""
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-process")
    messages = [problem.message for problem in load_text(PROVIDERS, env={}).report.errors]
    assert "the environment variable OPENAI_API_KEY is not set" in messages


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_shape_of_planos_is_accepted_unchanged(example: Path) -> None:
    """What is not supported is told by name, and nothing else is wrong."""
    text = example.read_text()

    strict, lenient = read(text).report, read(text, compat="warn")
    chain = compile_chain(lenient.document, Registry.from_entry_points(), lenient.report)

    assert lenient.report.errors == []
    assert str(chain).startswith("alias -> ")
    assert all("not supported" in problem.message for problem in strict.errors)
    assert bool(strict.errors) == ("--compat warn" in text.partition("\n")[0])


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "model", "url", "use", "type", "port"]), inner)
    ),
    max_leaves=12,
)
SECTIONS = st.sampled_from([*Document.model_fields, "llm_providers", "agents", "mode"])


@given(st.dictionaries(SECTIONS, TREES, max_size=4))
def test_any_tree_is_a_document_or_has_problems(tree: dict[str, object]) -> None:
    """No combination of types is stumbled over."""
    loaded = load_text(json_text(tree), env={})
    for problem in [*loaded.report.errors, *loaded.report.warnings]:
        assert problem.render()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_config_error(data: bytes) -> None:
    """What is in a file never makes a traceback."""
    try:
        loaded = load_text(data.decode("utf-8", "replace"), env={})
    except ConfigError as error:
        assert str(error).startswith("error: ")  # noqa: PT017 - both ends are right
    else:
        assert loaded.report.sorted(loaded.report.errors) is not None


def json_text(tree: object) -> str:
    """Write a tree as flow YAML."""
    return yaml.safe_dump(tree, default_flow_style=True, allow_unicode=True)
