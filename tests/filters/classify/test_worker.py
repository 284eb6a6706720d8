"""The thread of a model: batches, bounds, deadlines and failures, with a model behind a gate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from plano_builtin_filters.classify.routers.protocol import (
    Question,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.routers.worker import Worker

ROUTES = (RouteOption("code", "writing code"),)
SECONDS = 30.0
"""Longest wait for another thread; only a test that fails takes so long."""
NEVER = 1000.0
"""A deadline that is not reached."""


@dataclass
class Gated:
    """A blocking model. While its gate is shut, nothing comes out of `score` and `warm`."""

    batch: int = 4
    load_failures: list[Exception] = field(default_factory=list)
    """Raised by the next loads."""
    fails: dict[str, Exception] = field(default_factory=dict)
    """What is raised for questions with these texts."""
    warm_failure: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released by each call of these."""
    scored: list[list[str]] = field(default_factory=list)
    """The texts of each call."""
    loads: int = 0
    warmed: list[tuple[RouteOption, ...]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.gate.set()

    def load(self) -> None:
        self.loads += 1
        self.threads.add(threading.get_ident())
        if self.load_failures:
            raise self.load_failures.pop(0)

    def warm(self, routes: tuple[RouteOption, ...]) -> None:
        self.warmed.append(routes)
        self.entered.release()
        assert self.gate.wait(SECONDS)
        if self.warm_failure is not None:
            raise self.warm_failure

    def score(self, questions: Sequence[Question]) -> list[Scores]:
        texts = [question.turns[-1].text for question in questions]
        self.scored.append(texts)
        self.threads.add(threading.get_ident())
        self.entered.release()
        assert self.gate.wait(SECONDS)
        for text in texts:
            if text in self.fails:
                raise self.fails[text]
        return [scores(text) for text in texts]

    def describe(self) -> str:
        return "gated (a test)"


def scores(text: str) -> Scores:
    """Return what the model answers; another answer for each text."""
    share = (sum(text.encode()) % 97) / 100
    return Scores((share,), 1 - share)


def asked(text: str) -> Question:
    return Question((Turn("user", text),), ROUTES)


def threads() -> int:
    return sum(thread.name == "router" for thread in threading.enumerate())


async def begin(*asking: Coroutine[Any, Any, Scores]) -> list[asyncio.Task[Scores]]:
    """Start some questions; each stands in the queue when this returns."""
    tasks = [asyncio.create_task(one) for one in asking]
    await asyncio.sleep(0)
    return tasks


async def entered(model: Gated) -> None:
    """Wait until the model is at work."""
    assert await asyncio.to_thread(model.entered.acquire, timeout=SECONDS)


async def busy(model: Gated, worker: Worker, text: str = "first") -> asyncio.Task[Scores]:
    """Shut the gate, with one question behind it."""
    model.gate.clear()
    (task,) = await begin(worker.route(asked(text)))
    await entered(model)
    return task


async def reason(asking: Coroutine[Any, Any, Scores] | asyncio.Task[Scores]) -> tuple[str, str]:
    """Return why a question has no answer."""
    with pytest.raises(RouterFailed) as caught:
        await asking
    return caught.value.reason, str(caught.value)


async def test_a_question_is_answered_in_another_thread() -> None:
    """The model is loaded once, by the thread that uses it."""
    model = Gated()
    worker = Worker(model, queue=4, deadline=NEVER)
    async with worker.lifespan():
        found = [await worker.route(asked(text)) for text in ("a", "b")]

    assert found == [scores("a"), scores("b")]
    assert (model.loads, len(model.threads)) == (1, 1)
    assert threading.get_ident() not in model.threads
    assert worker.describe() == "gated (a test)"


async def test_what_waits_is_answered_together() -> None:
    """Questions that came while the model was busy go in batches, and each gets its own answer."""
    model = Gated(batch=4)
    worker = Worker(model, queue=64, deadline=NEVER)
    async with worker.lifespan():
        first = await busy(model, worker)
        others = await begin(*(worker.route(asked(text)) for text in "abcdef"))
        model.gate.set()
        found = await asyncio.gather(first, *others)

    assert model.scored == [["first"], ["a", "b", "c", "d"], ["e", "f"]]
    assert found == [scores("first"), *map(scores, "abcdef")]


async def test_a_full_queue_refuses_at_once() -> None:
    """What is being answered does not wait, and what waits is bounded."""
    model = Gated()
    worker = Worker(model, queue=2, deadline=NEVER)
    async with worker.lifespan():
        first = await busy(model, worker)
        waiting = await begin(worker.route(asked("a")), worker.route(asked("b")))
        refused = await reason(worker.route(asked("c")))
        model.gate.set()
        await asyncio.gather(first, *waiting)

    assert refused == ("queue_full", "2 questions are waiting already")
    assert model.scored == [["first"], ["a", "b"]]


async def test_no_answer_in_time_is_a_failure() -> None:
    """Whoever waits is told, and the thread does not compute what nobody waits for any more."""
    model = Gated()
    worker = Worker(model, queue=4, deadline=0.02)
    async with worker.lifespan():
        model.gate.clear()
        preparing = asyncio.create_task(worker.prepare(ROUTES))
        await entered(model)
        waiting = await reason(worker.route(asked("waiting")))
        model.gate.set()
        await preparing
        await worker.prepare(ROUTES)  # stood behind the question

    assert waiting == ("deadline", "no answer within 0.02 s")
    assert (model.scored, model.warmed) == ([], [ROUTES, ROUTES])


async def test_an_answer_that_takes_too_long_is_a_failure() -> None:
    """The deadline ends at the answer, not when the model begins."""
    model = Gated()
    worker = Worker(model, queue=4, deadline=0.02)
    async with worker.lifespan():
        model.gate.clear()
        found = await reason(worker.route(asked("slow")))
        model.gate.set()

    assert found[0] == "deadline"


async def test_who_gives_up_makes_room() -> None:
    """Only questions that somebody waits for fill the queue."""
    model = Gated()
    worker = Worker(model, queue=1, deadline=NEVER)
    async with worker.lifespan():
        first = await busy(model, worker)
        (left,) = await begin(worker.route(asked("left")))
        left.cancel()
        await asyncio.wait([left])
        (stays,) = await begin(worker.route(asked("stays")))
        model.gate.set()
        found = [await first, await stays]

    assert left.cancelled()
    assert found == [scores("first"), scores("stays")]
    assert model.scored == [["first"], ["stays"]]


async def test_a_client_may_leave_while_its_question_is_computed() -> None:
    """Its answer is dropped, and the next question has its own."""
    model = Gated()
    worker = Worker(model, queue=4, deadline=NEVER)
    async with worker.lifespan():
        first = await busy(model, worker)
        first.cancel()
        await asyncio.wait([first])
        model.gate.set()
        found = await worker.route(asked("next"))

    assert first.cancelled()
    assert found == scores("next")


@pytest.mark.parametrize(
    ("failure", "detail"),
    [
        (RouterFailed("unavailable", "the file is missing"), "the file is missing"),
        (OSError("no such disk"), "OSError: no such disk"),
    ],
)
async def test_a_model_that_cannot_be_loaded(
    failure: Exception, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Every question is told why; loading is not tried anew for each of them."""
    model = Gated(load_failures=[failure])
    worker = Worker(model, queue=4, deadline=NEVER)
    async with worker.lifespan():
        await worker.prepare(ROUTES)
        found = [await reason(worker.route(asked(text))) for text in "ab"]

    assert found == [("unavailable", detail)] * 2
    assert (model.loads, model.scored, model.warmed) == (1, [], [])
    assert worker.describe() == detail
    assert f"no routing by preferences: {detail}" in caplog.text


async def test_questions_before_any_preparation_are_told_as_well() -> None:
    """The first question loads the model; those that wait with it fail with it."""
    model = Gated(load_failures=[RouterFailed("unavailable", "corrupt")])
    worker = Worker(model, queue=4, deadline=NEVER)
    async with worker.lifespan():
        asking = await begin(*(worker.route(asked(text)) for text in "abc"))
        found = [await reason(one) for one in asking]

    assert found == [("unavailable", "corrupt")] * 3
    assert model.loads == 1


async def test_a_repaired_model_is_loaded_by_the_next_preparation() -> None:
    """A reload shares the router that was broken, and need not keep it so."""
    model = Gated(load_failures=[RouterFailed("unavailable", "corrupt")])
    worker = Worker(model, queue=4, deadline=NEVER)
    async with worker.lifespan():
        await worker.prepare(ROUTES)
        broken = worker.describe()
        await worker.prepare(ROUTES)
        found = await worker.route(asked("a"))

    assert (broken, worker.describe()) == ("corrupt", "gated (a test)")
    assert (found, model.loads, model.warmed) == (scores("a"), 2, [ROUTES])


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ValueError("the prompt in question"), ("error", "ValueError")),
        (RouterFailed("error", "no room for the routes"), ("error", "no room for the routes")),
    ],
)
async def test_a_question_that_cannot_be_answered_fails_alone(
    failure: Exception, told: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Those in the same batch are answered, the thread lives on, and the log has no prompt."""
    model = Gated(fails={"bad": failure})
    worker = Worker(model, queue=8, deadline=NEVER)
    async with worker.lifespan():
        first = await busy(model, worker)
        good, bad, also_good = await begin(*(worker.route(asked(t)) for t in ("a", "bad", "b")))
        model.gate.set()
        assert await reason(bad) == told
        found = await asyncio.gather(first, good, also_good)
        later = await worker.route(asked("later"))

    assert [*found, later] == [scores("first"), scores("a"), scores("b"), scores("later")]
    assert model.scored[1] == ["a", "bad", "b"]
    assert "the prompt in question" not in caplog.text


async def test_a_failure_of_ours_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """With where it happened."""
    worker = Worker(Gated(fails={"bad": KeyError("x")}), queue=8, deadline=NEVER)
    async with worker.lifespan():
        await reason(worker.route(asked("bad")))

    assert "a router failed: KeyError" in caplog.text
    assert "in score" in caplog.text


async def test_preparing_loads_and_warms() -> None:
    """Afterwards the first question finds the model ready for its routes."""
    model = Gated()
    worker = Worker(model, queue=4, deadline=NEVER)
    async with worker.lifespan():
        await worker.prepare(ROUTES)

        assert (model.loads, model.warmed, model.scored) == (1, [ROUTES], [])


async def test_preparing_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    """A model that fails to warm up is logged, and asked all the same."""
    model = Gated(warm_failure=ZeroDivisionError())
    worker = Worker(model, queue=4, deadline=NEVER)
    async with worker.lifespan():
        await worker.prepare(ROUTES)
        found = await worker.route(asked("a"))

    assert found == scores("a")
    assert "no routing by preferences: ZeroDivisionError" in caplog.text


async def test_the_end_of_its_lifespan_is_the_end_of_the_thread() -> None:
    """Each worker has one thread, from its start to its end."""
    before = threads()
    async with Worker(Gated(), queue=4, deadline=NEVER).lifespan():
        during = threads()

    assert (during, threads()) == (before + 1, before)


async def test_stopping_answers_what_waits() -> None:
    """The job at work is finished; questions behind it are told that there will be no answer."""
    model = Gated(batch=1)
    worker = Worker(model, queue=4, deadline=NEVER)
    stack = AsyncExitStack()
    await stack.enter_async_context(worker.lifespan())
    first = await busy(model, worker)
    (second,) = await begin(worker.route(asked("second")))
    leaving = asyncio.create_task(stack.aclose())
    await asyncio.sleep(0)
    model.gate.set()
    await leaving

    assert await first == scores("first")
    assert await reason(second) == ("unavailable", "the router is being stopped")
    assert model.scored == [["first"]]


async def test_a_loop_may_be_gone_before_its_answer() -> None:
    """The thread serves the others."""
    model = Gated()
    worker = Worker(model, queue=4, deadline=NEVER)

    async def ask_and_leave() -> None:
        task = asyncio.create_task(worker.route(asked("of another loop")))
        await entered(model)
        task.cancel()
        await asyncio.wait([task])

    async with worker.lifespan():
        model.gate.clear()
        await asyncio.to_thread(asyncio.run, ask_and_leave())
        model.gate.set()
        found = await worker.route(asked("of this loop"))

    assert found == scores("of this loop")
    assert model.scored == [["of another loop"], ["of this loop"]]


@pytest.mark.parametrize("waiting", [0, 5])
async def test_the_event_loop_runs_while_the_model_computes(waiting: int) -> None:
    """A thousand turns of the loop pass while no answer does: the gate opens only after them."""
    model = Gated()
    worker = Worker(model, queue=64, deadline=NEVER)
    async with worker.lifespan():
        first = await busy(model, worker)
        others = await begin(*(worker.route(asked(str(n))) for n in range(waiting)))
        for _ in range(1000):
            await asyncio.sleep(0)
        answered = [task.done() for task in (first, *others)]
        model.gate.set()
        await asyncio.gather(first, *others)

    assert not any(answered)
