"""The `onnx` router on a real export: prompts within their limit, the same answer every way."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from plano_builtin_filters.classify.routers.manifest import NAME, read, write
from plano_builtin_filters.classify.routers.onnx import OnnxModel
from plano_builtin_filters.classify.routers.protocol import (
    Question,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from tests.filters.classify import tiny

ASK = Question((Turn("user", "Fix the bug in my code, please"),), tiny.ROUTES)
TALK = (
    Turn("user", "Fix the bug in my code"),
    Turn("assistant", "Here is the answer."),
    Turn("user", "And now a poem about it"),
    Turn("assistant", "Roses are red."),
    Turn("user", "What is 17 * 23?"),
)
CLOSE = 1e-5


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export of the tiny model."""
    return tiny.exported(tmp_path_factory)


@pytest.fixture
def model(directory: Path) -> OnnxModel:
    """Return a loaded router."""
    return loaded(directory)


def loaded(directory: Path, **settings: int) -> OnnxModel:
    """Load a router that runs on one core."""
    model = OnnxModel(directory, device="cpu", threads=1, **settings)  # type: ignore[arg-type]
    model.load()
    return model


def close(one: Scores, other: Scores) -> None:
    """Assert that two answers are the same, as far as floating point goes."""
    assert (*one.routes, one.other) == pytest.approx((*other.routes, other.other), abs=CLOSE)


def test_all_routes_and_none_of_them_have_probabilities(model: OnnxModel) -> None:
    """In the order of the question; together 1."""
    (scores,) = model.score([ASK])

    assert len(scores.routes) == len(tiny.ROUTES)
    assert sum(scores.routes) + scores.other == pytest.approx(1)
    assert all(0 <= probability <= 1 for probability in (*scores.routes, scores.other))


def test_the_search_finds_what_looking_everywhere_finds(model: OnnxModel) -> None:
    """The same best answer with the same probability, and never more passes."""
    for turn in TALK:
        question = Question((turn,), tiny.ROUTES)
        found, full = (model.search(question, exhaustive=every) for every in (False, True))

        assert found.best == full.best
        assert found.probabilities[found.best] == pytest.approx(max(full.probabilities), abs=CLOSE)
        assert found.passes <= full.passes


def test_one_pass_is_enough_where_first_tokens_differ(model: OnnxModel) -> None:
    """The prompt is read, and the answer is known."""
    routes = tuple(RouteOption(name, f"all about {name}") for name in ("maths", "travel", "xyz"))
    question = Question(ASK.turns, routes)
    before = model.model.passes

    assert model.search(question).passes == 1
    assert model.model.passes == before + 1
    assert model.greedy(question) == (model.search(question).best, 1)


def test_the_generated_answer_agrees_where_it_is_legal(model: OnnxModel) -> None:
    """Token by token, the likeliest legal one, leads to an answer that is not better."""
    for turn in TALK:
        question = Question((turn,), tiny.ROUTES)
        full = model.search(question, exhaustive=True)
        way, _ = model.greedy(question)

        assert full.probabilities[way] <= full.probabilities[full.best] + CLOSE
        if full.probabilities[way] > 0.5:
            assert way == full.best


def test_what_was_read_before_changes_nothing(directory: Path) -> None:
    """With the instructions read, a conversation remembered, or neither: the same scores."""
    fresh, warm = loaded(directory, cache_bytes=0), loaded(directory)
    warm.warm(tiny.ROUTES)
    for length in (1, 3, 5):
        question = Question(TALK[:length], tiny.ROUTES, session="s")
        close(warm.score([question])[0], fresh.score([question])[0])

    assert len(fresh.cache) == 0
    assert len(warm.cache) == 2


def test_a_conversation_that_goes_on_is_read_on(model: OnnxModel) -> None:
    """Only the new turns and what follows the conversation are read again."""
    model.warm(tiny.ROUTES)
    reused = []
    for length in (1, 3, 5):
        reader = model.reader(Question(TALK[:length], tiny.ROUTES, session="s"))
        reader(model._table(tiny.ROUTES).trie.head)
        reused.append(reader.reused)
    alone = model.reader(Question(TALK, tiny.ROUTES))
    alone(model._table(tiny.ROUTES).trie.head)

    assert reused[0] == alone.reused == len(model._table(tiny.ROUTES).static)
    assert reused[0] < reused[1] < reused[2] < len(model.prompt(Question(TALK, tiny.ROUTES)))


def test_another_routing_table_is_another_question(directory: Path) -> None:
    """Also in the same session: nothing of the old table is left."""
    model, fresh = loaded(directory), loaded(directory, cache_bytes=0)
    model.warm(tiny.ROUTES)
    changed = (*tiny.ROUTES[:2], replace(tiny.ROUTES[2], description="novels"), *tiny.ROUTES[3:])
    for routes in (tiny.ROUTES, changed, tiny.ROUTES[::-1], tiny.ROUTES[:1]):
        question = Question(TALK, routes, session="s")
        close(model.score([question])[0], fresh.score([question])[0])


def test_memory_is_bounded(directory: Path) -> None:
    """More sessions than there is room for: the oldest are read again."""
    fresh = loaded(directory, cache_bytes=0)
    size = fresh.model.forward(fresh.prompt(ASK))[1].nbytes
    model = loaded(directory, cache_bytes=int(size * 2.5))
    model.warm(tiny.ROUTES)
    for number in range(4):
        question = replace(ASK, session=str(number))
        close(model.score([question])[0], fresh.score([question])[0])
        assert model.cache.nbytes <= model.cache.limit

    assert ("session", "3") in model.cache
    assert ("session", "0") not in model.cache


def test_questions_together_are_answered_as_alone(model: OnnxModel) -> None:
    """And again as before, to the last bit."""
    questions = [Question((turn,), tiny.ROUTES) for turn in TALK]

    assert model.score(questions) == [model.score([question])[0] for question in questions]


@pytest.mark.parametrize(
    "text", ["Fix the bug. ", "漢字 und Zwölf 🙂\n", '"\\\n', "x" * 40, "\ud800 "]
)
def test_a_prompt_never_exceeds_its_limit(directory: Path, text: str) -> None:
    """By the model's own tokenizer, whatever is written; the ends of a long turn stay."""
    model = loaded(directory, context=900)
    turns = (Turn("user", text * 9), Turn("assistant", "Yes. " * 9), Turn("user", text * 2000))
    tokens = model.prompt(Question(turns, tiny.ROUTES))
    empty = len(model.prompt(Question((Turn("user", ""),), tiny.ROUTES)))

    assert 900 - 0.3 * (900 - empty) < len(tokens) <= 900
    shown = model.text.decode(tokens)
    assert "…" in shown or "\\u2026" in shown
    assert "Yes." not in shown


def test_the_newest_turns_are_kept(directory: Path) -> None:
    """At most 16; the oldest go first, and the last is never one of them."""
    model = loaded(directory, context=700)
    turns = [Turn("user" if n % 2 == 0 else "assistant", f"turn-{n:02}-") for n in range(41)]
    shown = model.text.decode(model.prompt(Question(tuple(turns), tiny.ROUTES)))

    kept = [n for n in range(41) if f"turn-{n:02}-" in shown]
    assert kept == list(range(kept[0], 41))
    assert 1 < len(kept) <= 16


def test_a_long_table_leaves_room_for_a_conversation(directory: Path) -> None:
    """More than the family was trained for, as long as the model can read it; then it refuses."""
    model = loaded(directory)
    routes = tuple(
        RouteOption(f"route {n}", "writing new program code from a description") for n in range(99)
    )
    tokens = model.prompt(Question((Turn("user", "Fix the bug. " * 900),), routes))
    assert 2048 < len(tokens) < tiny.CONTEXT

    with pytest.raises(RouterFailed, match="the routes take") as caught:
        model.score([Question(ASK.turns, tuple(replace(r, description="q7" * 40) for r in routes))])
    assert caught.value.reason == "error"


def test_a_route_called_other_is_a_route(model: OnnxModel) -> None:
    """The model has one word for it and for no route; the route has its probability."""
    (scores,) = model.score([Question(ASK.turns, (RouteOption("other", "all"), *tiny.ROUTES))])
    assert scores.other == 0
    assert sum(scores.routes) == pytest.approx(1)

    (scores,) = model.score([Question(ASK.turns, (RouteOption("other", "all"),))])
    assert scores.routes == (1.0,)


def test_both_templates_can_be_asked(directory: Path) -> None:
    """The one of the manifest can be overridden."""
    model = OnnxModel(directory, device="cpu", threads=1, template="plano-orchestrator")
    model.load()

    (scores,) = model.score([Question((Turn("user", "Half a \ud83d, please"),), tiny.ROUTES)])
    assert sum(scores.routes) + scores.other == pytest.approx(1)
    assert "plano-orchestrator" in model.describe()


def test_the_temperature_of_the_manifest_is_used(directory: Path, tmp_path: Path) -> None:
    """Hotter is less sure; the order stays."""
    copy = shutil.copytree(directory, tmp_path / "copy")
    manifest = read(copy)
    write(copy, manifest.model_copy(update={"temperature": 3.0}), manifest.files)
    (cold,), (hot,) = (loaded(path).score([ASK]) for path in (directory, copy))

    before, after = (*cold.routes, cold.other), (*hot.routes, hot.other)
    assert max(after) < max(before)
    assert after == pytest.approx(
        [p ** (1 / 3) / sum(q ** (1 / 3) for q in before) for p in before]
    )


def test_it_says_what_runs_where(directory: Path) -> None:
    """And after the warm-up, how long a decision takes."""
    model = OnnxModel(directory, device="cpu", threads=1)
    assert model.describe() == f"onnx ({directory.name}, not loaded)"

    model.load()
    assert model.describe() == "onnx (tiny, fp32, CPU, 1 thread, arch-router)"

    model.warm(tiny.ROUTES)
    assert " ms a decision)" in model.describe()


def test_a_plain_export_runs_with_a_warning(
    directory: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has said what its files should be."""
    copy = shutil.copytree(directory, tmp_path / "plain")
    (copy / NAME).unlink()
    model = loaded(copy)

    assert "not verified" in model.describe()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    close(model.score([ASK])[0], loaded(directory).score([ASK])[0])


def test_a_corrupt_model_is_refused(directory: Path, tmp_path: Path) -> None:
    """One bit is enough."""
    copy = shutil.copytree(directory, tmp_path / "copy")
    content = bytearray((copy / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.onnx").write_bytes(content)

    with pytest.raises(RouterFailed, match=r"model\.onnx is corrupt") as caught:
        loaded(copy)
    assert caught.value.reason == "unavailable"
