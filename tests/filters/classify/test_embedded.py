"""The encoder that comes with the gateway: what holds for it however it was trained."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plano_builtin_filters.classify.routers.embedded import (
    BUNDLED,
    EARLIER_TOKENS,
    EARLIER_TURNS,
    LAST_TOKENS,
    ROUTE_TOKENS,
    EmbeddedModel,
    route_text,
)
from plano_builtin_filters.classify.routers.protocol import (
    Question,
    Role,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.routers.worker import Worker

ROUTES = (
    RouteOption("translation", "translating text from one language into another"),
    RouteOption("poems", "poems, rhymes and verses"),
    RouteOption("code_generation", "writing and debugging programs and scripts"),
    RouteOption("travel", "flights, hotels, visas and what to see"),
)

# Prompts whose best route is beyond doubt, whatever the model was trained on. Only the order of
# the routes is asked for, not how sure the model is. Add to this list what the shipped model must
# never get wrong.
OBVIOUS = [
    ("how do you say good morning in Spanish?", "translation"),
    ("translate this paragraph into French", "translation"),
    ("a poem about autumn leaves, please", "poems"),
    ("debug this script", "code_generation"),
    ("cheap flights and a hotel in Rome", "travel"),
]

LONG = "word " * 200_000
"""A megabyte."""


@pytest.fixture(scope="module")
def model() -> EmbeddedModel:
    """Return the bundled model, loaded."""
    return loaded(BUNDLED)


def loaded(directory: Path, **options: Any) -> EmbeddedModel:
    model = EmbeddedModel(directory, **options)
    model.load()
    return model


def asked(*texts: str, routes: Sequence[RouteOption] = ROUTES) -> Question:
    """Return a question; the user and the assistant take turns, the user has the last word."""
    roles: tuple[Role, Role] = ("user", "assistant")
    ends = enumerate(texts, start=1 - len(texts))
    return Question(tuple(Turn(roles[n % 2], text) for n, text in ends), tuple(routes))


def total(scores: Scores) -> float:
    return sum(scores.routes) + scores.other


MIXED = [
    asked("hello"),
    asked("how do you say good morning in Spanish?"),
    asked("a poem, please", "about what?", "autumn leaves and the sea"),
    asked("x" * 5000),
    asked(LONG),
    asked("日本へのフライト", routes=ROUTES[:1]),
    asked("¿y en francés?", routes=ROUTES[2:]),
]
"""Questions of all lengths, with several tables."""


@pytest.mark.parametrize(("prompt", "route"), OBVIOUS)
def test_obvious_prompts(model: EmbeddedModel, prompt: str, route: str) -> None:
    """Of all routes the one that is meant is the likeliest."""
    (scores,) = model.score([asked(prompt)])
    best = max(zip(scores.routes, ROUTES, strict=True), key=lambda one: one[0])[1]

    assert best.name == route


def test_a_question_is_answered_the_same_in_any_company(model: EmbeddedModel) -> None:
    """What strangers ask at the same time changes nothing, not even a last digit."""
    assert model.score(MIXED) == [model.score([question])[0] for question in MIXED]


def test_an_answer_is_the_same_every_time(model: EmbeddedModel) -> None:
    """In one process and in the next."""
    assert model.score(MIXED) == model.score(MIXED) == loaded(BUNDLED).score(MIXED)


def test_routes_that_are_kept_are_the_same_as_new_ones(model: EmbeddedModel) -> None:
    """Whether routes are encoded together, one by one or never again, they are the same."""
    fresh = loaded(BUNDLED)
    for route in reversed(ROUTES):
        fresh.warm((route,))

    assert fresh.score(MIXED) == model.score(MIXED)


def test_the_order_of_the_routes_does_not_count(model: EmbeddedModel) -> None:
    """A table written the other way round has the same probabilities."""
    question = asked("a poem about flights")
    turned = Question(question.turns, ROUTES[::-1])
    (one,), (other,) = model.score([question]), model.score([turned])

    assert one.routes == pytest.approx(other.routes[::-1], abs=1e-5)
    assert one.other == pytest.approx(other.other, abs=1e-5)


TEXTS = st.text(max_size=200)
TURNS = st.lists(TEXTS, min_size=1, max_size=6)
NAMED = st.lists(st.builds(RouteOption, TEXTS, TEXTS), min_size=1, max_size=4)


@settings(max_examples=40)
@given(TURNS, NAMED)
def test_probabilities_sum_to_one(turns: list[str], routes: list[RouteOption]) -> None:
    """Whatever is asked, in whatever script, of whatever routes."""
    (scores,) = _property_model().score([asked(*turns, routes=routes)])

    assert total(scores) == pytest.approx(1)
    assert all(0 <= one <= 1 for one in (*scores.routes, scores.other))
    assert len(scores.routes) == len(routes)
    assert scores.calibrated


def _property_model() -> EmbeddedModel:
    """Return a model for properties, which cannot have fixtures of a module."""
    if not _PROPERTY:
        _PROPERTY.append(loaded(BUNDLED))
    return _PROPERTY[0]


_PROPERTY: list[EmbeddedModel] = []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "\ud83d",
        "half \udc00 a pair",
        "👩‍👩‍👧",
        "مرحبا",
        "e\u0301" * 100,
        "[SEP][CLS]",
    ],
)
def test_odd_texts_are_read(model: EmbeddedModel, text: str) -> None:
    """As a turn, as an earlier turn, as a name, as a description."""
    routes = (*ROUTES[:2], RouteOption(text, "verses"), RouteOption("songs", text))
    for question in (asked(text), asked(text, "yes?", "a poem"), asked("a poem", routes=routes)):
        (scores,) = model.score([question])
        assert total(scores) == pytest.approx(1)


@pytest.mark.parametrize("count", [1, 128])
def test_few_routes_and_many(model: EmbeddedModel, count: int) -> None:
    """One route has one rival, that none fits; a hundred are read as well."""
    routes = [RouteOption(f"topic {n}", f"questions about number {n}") for n in range(count)]
    (scores,) = model.score([asked("tell me about number 3", routes=routes)])

    assert len(scores.routes) == count
    assert total(scores) == pytest.approx(1)


def test_of_a_long_text_only_the_ends_are_read(model: EmbeddedModel) -> None:
    """What stands in the middle of a megabyte costs nothing, and changes nothing."""
    half = len(LONG) // 2
    marked = f"{LONG[:half]} translate this into Spanish {LONG[half:]}"

    assert model.score([asked(marked)]) == model.score([asked(LONG)])


@pytest.mark.parametrize("text", [LONG, "x" * 1_000_000, "漢" * 1_000_000, "a\u0300" * 500_000])
def test_the_encoder_reads_a_bounded_number_of_tokens(model: EmbeddedModel, text: str) -> None:
    """However long the turns are, and however many."""
    ids, segments = model._conversation([Turn("user", text)] * 16)

    assert len(ids) == len(segments) <= LAST_TOKENS + EARLIER_TOKENS + 2
    assert len(model._ids(text, ROUTE_TOKENS)) <= ROUTE_TOKENS


def test_turns_of_long_ago_do_not_count(model: EmbeddedModel) -> None:
    """The last turn and a few before it are read."""
    recent = [f"turn {n}" for n in range(EARLIER_TURNS + 1)]

    assert model.score([asked("a", "b", *recent)]) == model.score([asked("c", "d", *recent)])


def test_earlier_turns_count(model: EmbeddedModel) -> None:
    """A follow-up is understood by what led to it."""
    alone, following = model.score(
        [asked("and the next line?"), asked("a poem about the sea", "Waves", "and the next line?")]
    )

    assert following.routes[1] > alone.routes[1]


@pytest.mark.parametrize(
    ("name", "description", "text"),
    [
        ("code_generation", "writing code", "code generation: writing code"),
        ("codeGeneration", "writing code", "code generation: writing code"),
        ("a/b-c.d", "x", "a b c d: x"),
        ("route_3", "writing code", "writing code"),
        ("Policy B", "writing code", "writing code"),
        ("r1", "writing code", "writing code"),
        ("7", "writing code", "writing code"),
        ("r1", "", "r1"),
        ("intent C", "writing code", "writing code"),
        ("labelB", "writing code", "writing code"),
        ("router", "writing code", "router: writing code"),
        ("PR", "pull requests", "pr: pull requests"),
        ("labels", "sticking labels", "labels: sticking labels"),
    ],
)
def test_a_route_is_read_as_words(name: str, description: str, text: str) -> None:
    """Names are taken apart; one that says nothing is left out."""
    assert route_text(name, description) == text


def test_an_opaque_name_changes_nothing(model: EmbeddedModel) -> None:
    """Whatever the number is, the description decides."""
    tables = [
        [RouteOption(first, "verses and rhymes"), RouteOption(second, "flights and hotels")]
        for first, second in (("route_1", "route_2"), ("route_9", "p4"))
    ]
    one, other = model.score([asked("a poem", routes=table) for table in tables])

    assert one == other


def test_it_says_what_runs_where(model: EmbeddedModel) -> None:
    """Its name from the manifest, and the device."""
    name = json.loads((BUNDLED / "manifest.json").read_text(encoding="utf-8"))["name"]

    assert model.describe() == f"embedded ({name}, CPU, 1 thread)"
    assert EmbeddedModel().describe() == "embedded (embedded, not loaded)"


# A directory of its own: what is wrong with it, and what can be set in it.


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the bundled model, which may be spoilt."""
    return shutil.copytree(BUNDLED, tmp_path / "model")


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


def refused(directory: Path, **options: Any) -> str:
    """Return why a model is not loaded."""
    with pytest.raises(RouterFailed) as caught:
        loaded(directory, **options)
    assert caught.value.reason == "unavailable"
    return str(caught.value)


FILES = ["model.onnx", "tokenizer.json", "head.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_corrupt_file_is_found(copy: Path, name: str) -> None:
    """One bit is enough, and the file is named."""
    flip(copy / name)

    assert refused(copy) == f"{copy / name} is corrupt: not the file of the manifest"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found(copy: Path, name: str) -> None:
    """By its name."""
    (copy / name).unlink()

    assert refused(copy) == f"{copy / name} is missing"


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    """Neither the directory nor anything in it."""
    assert refused(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'} is not a directory"
    assert "is missing" in refused(tmp_path)


def test_a_model_is_loaded_by_its_hash(copy: Path) -> None:
    """The declared SHA-256 of the manifest, in whichever case, and no other."""
    right = hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()

    assert loaded(copy, sha256=right.upper()).score(MIXED[:1])
    assert "does not have the declared sha256" in refused(copy, sha256="0" * 64)


def described(directory: Path, **changes: Any) -> None:
    """Change the manifest of a model."""
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


@pytest.mark.parametrize("changes", [{"kind": "causal"}, {"format": 2}, {"surprise": 1}])
def test_a_manifest_of_something_else(copy: Path, changes: dict[str, Any]) -> None:
    """It must be an encoder's, of a format that is known."""
    described(copy, **changes)

    assert "manifest.json" in refused(copy) or "is of kind causal" in refused(copy)


def test_the_temperature_makes_it_more_or_less_sure(copy: Path, model: EmbeddedModel) -> None:
    """The hotter, the nearer to even; the order of the routes stays."""
    described(copy, temperature=1000.0)
    question = MIXED[1]
    (even,), (usual,) = loaded(copy).score([question]), model.score([question])

    assert max(even.routes) - min(even.routes) < 0.05
    assert sorted(range(4), key=even.routes.__getitem__) == sorted(
        range(4), key=usual.routes.__getitem__
    )


def test_other_can_be_made_likelier(copy: Path, model: EmbeddedModel) -> None:
    """By the offset that is fitted on the development set."""
    described(copy, settings={"other_offset": 50.0})

    assert loaded(copy).score(MIXED[1:2])[0].other > model.score(MIXED[1:2])[0].other
    assert loaded(copy).score(MIXED[1:2])[0].other > 0.99


# Behind its worker: the event loop goes on.


@dataclass
class Watched:
    """A model that notes how far the event loop came during each of its scores."""

    inner: EmbeddedModel
    turns: Callable[[], int]
    progress: list[int] = field(default_factory=list)
    batch: int = 1

    def load(self) -> None:
        """The inner one is loaded."""

    def warm(self, routes: tuple[RouteOption, ...]) -> None:
        self.inner.warm(routes)

    def score(self, questions: Sequence[Question]) -> list[Scores]:
        before = self.turns()
        found = self.inner.score(questions)
        self.progress.append(self.turns() - before)
        return found

    def describe(self) -> str:
        return self.inner.describe()


@contextmanager
def heartbeat() -> Any:
    """Turn the event loop as fast as it goes; yield the times of its turns."""
    times: list[float] = []

    async def beat() -> None:
        while True:
            times.append(time.perf_counter())
            await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(beat())
    try:
        yield times
    finally:
        task.cancel()


CROWD = [asked(f"question {n}: " + "what is the best way to see Rome? " * 10) for n in range(20)]


async def lags(asking: Callable[[Question], Awaitable[Scores]], times: list[float]) -> list[float]:
    """Ask twenty questions at once; return how long each turn of the loop took, sorted."""
    await asyncio.sleep(0)
    before = len(times)
    await asyncio.gather(*(asking(question) for question in CROWD))
    await asyncio.sleep(0)
    turns = times[max(before - 1, 0) :]
    return sorted(later - sooner for sooner, later in pairwise(turns))


async def test_the_event_loop_goes_on_under_load(model: EmbeddedModel) -> None:
    """While twenty clients wait for their route the loop turns during the scores; on the loop the
    same work would stop it from the first question to the last."""
    with heartbeat() as times:
        watched = Watched(model, lambda: len(times))

        async def on_the_loop(question: Question) -> Scores:
            return watched.score([question])[0]

        stopped = (await lags(on_the_loop, times))[-1]
        beats_on_the_loop, watched.progress = watched.progress, []

        worker = Worker(watched, queue=64, deadline=1000.0)
        async with worker.lifespan():
            in_a_thread = await lags(worker.route, times)

    assert beats_on_the_loop == [0] * len(CROWD)
    assert sum(watched.progress) >= len(CROWD)
    assert in_a_thread[len(in_a_thread) * 99 // 100] < stopped
