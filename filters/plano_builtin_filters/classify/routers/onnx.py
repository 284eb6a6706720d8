"""The `onnx` router: an exported causal model that was trained to name a route."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plano_builtin_filters.classify.routers import trie
from plano_builtin_filters.classify.routers.causal import KV, CausalModel, Text
from plano_builtin_filters.classify.routers.manifest import Manifest, load
from plano_builtin_filters.classify.routers.prefix import PrefixCache, common
from plano_builtin_filters.classify.routers.prompts import TEMPLATES, Template, TemplateName, find
from plano_builtin_filters.classify.routers.protocol import (
    OTHER,
    Question,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.routers.runtime import Device
from plano_builtin_filters.classify.routers.selection import fit

log = logging.getLogger(__name__)

LEAST_CONVERSATION: Final = 256
"""Tokens the conversation gets however long the routing table is, if the model can read them."""
CACHE_BYTES: Final = 256 << 20
_TABLES: Final = 64
"""Routing tables that are kept prepared; a request may bring its own."""


@dataclass(frozen=True, slots=True)
class _Table:
    """What does not change from question to question with the same routes."""

    trie: trie.Trie
    static: NDArray[np.int64]
    """The tokens that every prompt begins with."""
    empty: int
    """Tokens of a prompt without a conversation."""
    limit: int
    """Tokens of a prompt at most."""


class OnnxModel:
    """Scores routes with a causal model.

    Args:
        directory: What `plano-filters routers export` wrote, or a plain optimum export.
        device: See `runtime.open_session`.
        threads: Of one run on the CPU; 0 for one a core.
        context: Tokens of a prompt; None for what the family was trained for.
        sha256: Of the directory's `manifest.json`, to be sure of it.
        template: How to ask, in place of what the manifest says.
        cache_bytes: For what was read already: routing tables and conversations.
    """

    batch = 1  # one question at a time keeps the machine busy, and a search takes turns badly

    def __init__(
        self,
        directory: Path,
        *,
        device: Device = "auto",
        threads: int = 0,
        context: int | None = None,
        sha256: str | None = None,
        template: TemplateName | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._directory = directory
        self._device: Device = device
        self._threads = threads
        self._context = context
        self._sha256 = sha256
        self._asked_as = template
        self.cache: PrefixCache[KV] = PrefixCache(cache_bytes)
        self._tables: OrderedDict[tuple[RouteOption, ...], _Table] = OrderedDict()
        self._milliseconds: float | None = None
        self.manifest: Manifest
        self.template: Template
        self.text: Text
        self.model: CausalModel

    def load(self) -> None:
        """Read the files.

        Raises:
            RouterFailed: They are missing, corrupt, or no such model.
        """
        manifest = load(self._directory, kind="causal", sha256=self._sha256)
        name = self._asked_as or manifest.template or find(manifest.name).name
        self.template = TEMPLATES[name]
        self.text = Text(self._directory)
        self.model = CausalModel.open(self._directory, device=self._device, threads=self._threads)
        self.manifest = manifest
        if not manifest.verified:
            log.warning(
                "%s has no manifest.json: its files are not verified, and it is asked as %s by its"
                " name",
                self._directory.name,
                name,
            )

    def warm(self, routes: tuple[RouteOption, ...]) -> None:
        """Read the instructions and routes, and measure a decision that finds them read."""
        question = Question((Turn("user", "Hello, can you help me?"),), routes)
        self.search(question)
        started = time.perf_counter()
        self.search(question)
        self._milliseconds = 1000 * (time.perf_counter() - started)

    def score(self, questions: Sequence[Question]) -> list[Scores]:
        """Answer some questions, in order.

        Raises:
            RouterFailed: The routing table is too long for the model, or its scores are no numbers.
        """
        answers = []
        for question in questions:
            found = self.search(question)
            scores = trie.tempered(found.probabilities, self.manifest.temperature)
            answers.append(Scores(scores[:-1], scores[-1]))
        return answers

    def search(self, question: Question, *, exhaustive: bool = False) -> trie.Found:
        """Answer one question, with what it cost; the last answer is that no route fits."""
        table = self._table(question.routes)
        reader = self.reader(question)
        try:
            return trie.search(table.trie, reader, exhaustive=exhaustive)
        except ValueError as error:
            raise RouterFailed("error", str(error)) from error

    def greedy(self, question: Question) -> tuple[int, int]:
        """Answer by the likeliest legal token at each step; say which, and after how many passes.

        For comparison: it gives no probabilities.
        """
        return trie.greedy(self._table(question.routes).trie, self.reader(question))

    def reader(self, question: Question) -> Reader:
        """Return what reads the prompt of a question, and then answers to it."""
        table = self._table(question.routes)
        tokens = self.prompt(question)
        keep: dict[Hashable, int | None] = {}
        where: list[Hashable] = [("routes", question.routes)]
        if where[0] not in self.cache:
            keep[where[0]] = common(table.static, np.asarray(tokens, dtype=np.int64))
        if question.session is not None and self.model.slices:
            where.append(("session", question.session))
            keep[where[1]] = None
        return Reader(self.model, tokens, self.cache, where, keep)

    def prompt(self, question: Question) -> list[int]:
        """Return the tokens that a question is asked with, within the limit."""
        table = self._table(question.routes)
        budget = table.limit - table.empty
        while True:
            turns = fit(question.turns, budget, self._count)
            tokens = self._encode(turns, question.routes)
            over = len(tokens) - table.limit
            if over <= 0 or not turns:
                return tokens
            budget -= over  # turns cost more side by side than one by one

    def _count(self, text: str) -> int:
        return len(self.text.encode(self.template.conversation([Turn("assistant", text)])))

    def describe(self) -> str:
        """Say what runs where."""
        if not hasattr(self, "manifest"):
            return f"onnx ({self._directory.name}, not loaded)"
        parts = [self.manifest.name, self.manifest.dtype, self.model.where, self.template.name]
        if not self.manifest.verified:
            parts.append("not verified")
        if self._milliseconds is not None:
            parts.append(f"{self._milliseconds:.3g} ms a decision")
        return f"onnx ({', '.join(parts)})"

    def _encode(self, turns: Sequence[Turn], routes: Sequence[RouteOption]) -> list[int]:
        return self.text.encode(self.text.chat(self.template.prompt(turns, routes).text))

    def _table(self, routes: tuple[RouteOption, ...]) -> _Table:
        table = self._tables.get(routes)
        if table is None:
            table = self._tables[routes] = self._prepare(routes)
            if len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(routes)
        return table

    def _prepare(self, routes: tuple[RouteOption, ...]) -> _Table:
        names = [*(route.name for route in routes), OTHER]
        replies = [self.text.encode(self.template.reply(name)) for name in names]
        samples = (Turn("user", "a"), Turn("assistant", "1"))
        one, two = (np.asarray(self._encode([turn], routes), dtype=np.int64) for turn in samples)
        empty = len(self._encode([], routes))
        limit = max(self._context or self.template.context, empty + LEAST_CONVERSATION)
        if self.model.longest:
            limit = min(limit, self.model.longest - max(map(len, replies)))
        if limit <= empty:
            raise RouterFailed("error", f"the routes take {empty} tokens; {limit} can be read")
        return _Table(trie.Trie(replies), one[: common(one, two)], empty, limit)


class Reader:
    """Reads a prompt once, then as few tokens as each answer needs.

    Args:
        model: The model.
        prompt: Tokens.
        cache: What was read before.
        where: The keys under which a beginning of the prompt may be found.
        keep: The keys under which a beginning is kept, and its tokens; None for all that was read.
    """

    def __init__(
        self,
        model: CausalModel,
        prompt: list[int],
        cache: PrefixCache[KV],
        where: Sequence[Hashable],
        keep: dict[Hashable, int | None],
    ) -> None:
        self._model = model
        self._prompt = prompt
        self._cache = cache
        self._where = where
        self._keep = keep
        self._read: dict[trie.Path, KV] = {}
        self.reused = 0
        """Tokens that did not have to be read."""

    def __call__(self, path: trie.Path) -> NDArray[Any]:
        """Return the scores after the prompt and some tokens of an answer."""
        for length in range(len(path) - 1, -1, -1):
            past = self._read.get(path[:length])
            if past is not None:
                logits, self._read[path] = self._model.forward(path[length:], past)
                return logits
        tokens = [*self._prompt, *path]
        self.reused, past = self._cache.longest(self._where, tokens)
        logits, kv = self._model.forward(tokens[self.reused :], past)
        for key, some in self._keep.items():
            length = len(tokens) if some is None else some
            self._cache.put(key, tokens[:length], kv.first(length))
        self._read[path] = kv
        return logits
