"""A thread of its own for a model: a bounded queue, deadlines, small batches.

Inference holds a core for milliseconds to seconds; on the event loop it would stop every stream of
the process. ONNX Runtime lets the interpreter go while it computes, so one thread is enough.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from plano_builtin_filters.classify.routers.protocol import (
    Model,
    Question,
    RouteOption,
    RouterFailed,
    Scores,
)

log = logging.getLogger(__name__)

LOADING: Final = 5.0
"""Seconds that a question may wait in addition while the model is being loaded."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    task: Question | tuple[RouteOption, ...]
    """A question, or a routing table to prepare for."""
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Scores | None]

    def resolve(self, scores: Scores | None, failure: Exception | None) -> None:
        """Hand the answer to its event loop. Nobody may wait for it any more."""

        def settle() -> None:
            if self.answer.done():
                return
            if failure is not None:
                self.answer.set_exception(failure)
            else:
                self.answer.set_result(scores)

        try:
            self.loop.call_soon_threadsafe(settle)
        except RuntimeError:
            log.debug("an event loop was closed before its answer came")


class Worker:
    """Makes a `Router` of a `Model`. The model is loaded when it is first needed.

    Args:
        model: Used by the worker's thread only.
        queue: Most questions that may wait; one more is refused at once.
        deadline: Longest time from question to answer, seconds. A question that nobody waits for
            any more when its turn comes is not computed.
    """

    def __init__(self, model: Model, *, queue: int, deadline: float) -> None:
        self._model = model
        self._queue = queue
        self._deadline = deadline
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._loaded = False
        self._broken: RouterFailed | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Start the thread; stop it when the job it is at has ended."""
        thread = threading.Thread(target=self._work, name="router", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify()
            await asyncio.to_thread(thread.join)

    async def prepare(self, routes: tuple[RouteOption, ...]) -> None:
        """Load the model and get ready for a routing table. A model that is broken is logged; it
        is tried again here, as a reload may follow its repair."""
        job = self._enqueue(routes)
        try:
            await job.answer
        except RouterFailed as error:
            log.warning("no routing by preferences: %s", error)
        finally:
            self._forget(job)

    async def route(self, question: Question) -> Scores:
        """Answer one question.

        Raises:
            RouterFailed: The model is broken, the queue is full, or the deadline has passed.
        """
        broken = self._broken
        if broken is not None:
            raise RouterFailed(broken.reason, str(broken))
        if len(self._jobs) >= self._queue:
            raise RouterFailed("queue_full", f"{self._queue} questions are waiting already")
        job = self._enqueue(question)
        # the first question of all waits for the model, too
        deadline = self._deadline + (0.0 if self._loaded else LOADING)
        try:
            async with asyncio.timeout(deadline):
                scores = await job.answer
        except TimeoutError:
            raise RouterFailed("deadline", f"no answer within {deadline:g} s") from None
        finally:
            self._forget(job)
        if scores is None:
            raise AssertionError("a question is answered with scores")  # pragma: no cover
        return scores

    def describe(self) -> str:
        """Say what runs where, or why nothing does."""
        broken = self._broken
        return str(broken) if broken else self._model.describe()

    def _enqueue(self, task: Question | tuple[RouteOption, ...]) -> _Job:
        loop = asyncio.get_running_loop()
        job = _Job(task, loop, loop.create_future())
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()
        return job

    def _forget(self, job: _Job) -> None:
        """Take back what nobody waits for any more, so that it takes no place in the queue."""
        job.answer.cancel()
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def _work(self) -> None:
        while jobs := self._take():
            prepares = any(not isinstance(job.task, Question) for job in jobs)
            if not self._loaded and (prepares or self._broken is None):
                self._load()
            if self._broken is not None:
                _fail(jobs, RouterFailed(self._broken.reason, str(self._broken)))
            else:
                self._answer(jobs)

    def _answer(self, jobs: list[_Job]) -> None:
        """Do jobs together; if that fails, each alone, as only one of them may be to blame."""
        try:
            self._run(jobs)
        except Exception as error:  # noqa: BLE001 - a model's; the thread must live on
            if len(jobs) > 1:
                for job in jobs:
                    self._answer([job])
            else:
                _fail(jobs, failure_of(error))

    def _load(self) -> None:
        try:
            self._model.load()
            self._loaded, self._broken = True, None
        except RouterFailed as error:
            self._broken = error
        except Exception as error:
            log.exception("a router model cannot be loaded")
            self._broken = RouterFailed("unavailable", f"{type(error).__name__}: {error}")

    def _take(self) -> list[_Job]:
        """Wait for jobs; return some that are still wanted, or none to stop."""
        with self._changed:
            while not self._closing:
                taken: list[_Job] = []
                while self._jobs and len(taken) < self._model.batch:
                    job = self._jobs.popleft()
                    if not job.answer.done():
                        taken.append(job)
                if taken:
                    return taken
                self._changed.wait()
            left, self._jobs = list(self._jobs), deque()
        _fail(left, RouterFailed("unavailable", "the router is being stopped"))
        return []

    def _run(self, jobs: list[_Job]) -> None:
        asked = []
        for job in jobs:
            if isinstance(job.task, Question):
                asked.append((job, job.task))
            else:
                self._model.warm(job.task)
                job.resolve(None, None)
        if asked:
            answers = self._model.score([question for _, question in asked])
            for (job, _), scores in zip(asked, answers, strict=True):
                job.resolve(scores, None)


def failure_of(error: Exception) -> RouterFailed:
    """Return what an exception means to whoever asked.

    If nobody expected it, the log says where it was raised, but not its words: they may quote a
    prompt.
    """
    if isinstance(error, RouterFailed):
        return error
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("a router failed: %s\n%s", type(error).__name__, where)
    return RouterFailed("error", type(error).__name__)


def _fail(jobs: list[_Job], error: RouterFailed) -> None:
    for job in jobs:
        job.resolve(None, error)
