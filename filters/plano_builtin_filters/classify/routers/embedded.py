"""The `embedded` router: a small encoder that compares the conversation with each route.

A conversation is read as `[CLS] last turn [SEP] earlier turns, newest first [SEP]`, a route as
`[CLS] name: description [SEP]`. The score of a route is the cosine of the two pooled vectors, plus
how well each of its words is met by a word of the conversation (late interaction, as in ColBERT).
`other` is scored from the conversation alone. A softmax over all of them gives probabilities.

How it was trained, and on what: `tools/train_router/`.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from plano_builtin_filters.classify.routers import manifest
from plano_builtin_filters.classify.routers.protocol import (
    Question,
    RouteOption,
    RouterFailed,
    Scores,
    Turn,
)
from plano_builtin_filters.classify.routers.runtime import Opened, open_session

BUNDLED: Final = Path(str(files("plano_builtin_filters.classify"))) / "models" / "embedded"
LAST_TOKENS: Final = 112
EARLIER_TOKENS: Final = 80
TURN_TOKENS: Final = 40
"""Of one earlier turn."""
EARLIER_TURNS: Final = 4
ROUTE_TOKENS: Final = 64
_CHARACTERS: Final = 40
"""Read of a text for each token that is kept; of a long text, as many from its end."""
_ROUTES: Final = 1024
"""Routes whose vectors are kept, 100 KB each at most; requests may bring their own."""
_SLOT = "route|policy|intent|option|category|class|label"
_OPAQUE = re.compile(
    rf"(?i)[a-z]|(?:(?:{_SLOT}|r|p)[\s_-]*)?\d+|(?:{_SLOT}|r|p)[\s_-]+[a-z]|(?-i:(?:{_SLOT})[A-Z])"
)
"""A name that says nothing, such as `route_3`."""


class Head(BaseModel):
    """The learned numbers beside the encoder; `head.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    earlier: float
    """Weight of an earlier turn's word in the pooled vector, against 1 for the last turn's."""
    meeting: float
    """Weight of the late interaction; 0 for none."""
    scale: float
    threshold: float
    null: list[float]
    """The direction of `other`."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    vector: Any
    """[H], of length 1."""
    words: Any
    """[T, H], each of length 1."""


class EmbeddedModel:
    """Scores routes with an encoder.

    Args:
        directory: `manifest.json`, `model.onnx`, `tokenizer.json`, `head.json`.
        threads: Of one run; 0 for one a core.
        sha256: Of the manifest, to be sure of it.
    """

    batch = 1

    def __init__(
        self, directory: Path = BUNDLED, *, threads: int = 1, sha256: str | None = None
    ) -> None:
        self._directory = directory
        self._threads = threads
        self._sha256 = sha256
        self._routes: OrderedDict[RouteOption, _Encoded] = OrderedDict()
        self._name = directory.name
        self._opened: Opened | None = None

    def load(self) -> None:
        described = manifest.load(self._directory, kind="encoder", sha256=self._sha256)
        try:
            import numpy as np  # noqa: PLC0415 - the extras `cpu` and `gpu`
            from tokenizers import Tokenizer  # noqa: PLC0415
        except ImportError as error:
            raise RouterFailed(
                "unavailable", f"{error.name} is missing: pip install 'plano-filters[cpu]'"
            ) from None
        self._np = np
        self._tokenizer = Tokenizer.from_file(str(self._directory / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._cls = self._tokenizer.token_to_id("[CLS]")
        self._sep = self._tokenizer.token_to_id("[SEP]")
        text = (self._directory / "head.json").read_text(encoding="utf-8")
        self._head = Head.model_validate(json.loads(text))
        self._null = np.asarray(self._head.null, np.float32)
        self._temperature = described.temperature
        offset = described.settings.get("other_offset", 0.0)
        self._offset = float(offset) if isinstance(offset, int | float) else 0.0
        self._name = described.name
        self._opened = open_session(
            self._directory / manifest.GRAPH, device="cpu", threads=self._threads
        )

    def warm(self, routes: tuple[RouteOption, ...]) -> None:
        self.logits([Question((Turn("user", "hello"),), routes)])

    def score(self, questions: Sequence[Question]) -> list[Scores]:
        np = self._np
        found = []
        for row in self.logits(questions):
            logits = np.asarray(row)
            logits[-1] += self._offset
            logits /= self._temperature
            odds = np.exp(logits - logits.max())
            odds = (odds / odds.sum()).tolist()
            found.append(Scores(tuple(odds[:-1]), odds[-1]))
        return found

    def logits(self, questions: Sequence[Question]) -> list[list[float]]:
        """Return the scores of each question's routes, then of `other`, as they were trained."""
        asked = self._encode([self._conversation(question.turns) for question in questions])
        return [
            [*self._logits(one, question.routes).tolist(), self._none(one)]
            for question, one in zip(questions, asked, strict=True)
        ]

    def describe(self) -> str:
        where = self._opened.where if self._opened else "not loaded"
        return f"embedded ({self._name}, {where})"

    def vectors(self, texts: Sequence[str]) -> Any:
        """Return the pooled vectors of some texts, [N, H] of length 1, read as routes are."""
        rows = []
        for text in texts:
            ids = [self._cls, *self._ids(text, ROUTE_TOKENS), self._sep]
            rows.append((ids, [0] * len(ids)))
        return self._np.stack([one.vector for one in self._encode(rows)])

    def _logits(self, asked: _Encoded, routes: Sequence[RouteOption]) -> Any:
        """Return the scaled scores of routes, [R]."""
        np = self._np
        encoded = self._encoded_routes(routes)
        scores = np.stack([route.vector for route in encoded]) @ asked.vector
        if self._head.meeting:
            words = np.concatenate([route.words for route in encoded])
            best = (words @ asked.words.T).max(axis=1)
            ends = np.cumsum([len(route.words) for route in encoded])
            met = [part.mean() for part in np.split(best, ends[:-1])]
            scores = scores + self._head.meeting * np.asarray(met)
        return self._head.scale * scores

    def _none(self, asked: _Encoded) -> float:
        """Return the scaled score of `other`."""
        offset = self._head.threshold + 0.5 * self._head.meeting
        return float(self._head.scale * (asked.vector @ self._null + offset))

    def _encoded_routes(self, routes: Sequence[RouteOption]) -> list[_Encoded]:
        """Return routes as they are kept, encoding those that are new together."""
        new = [one for one in dict.fromkeys(routes) if one not in self._routes]
        if new:
            rows = []
            for one in new:
                ids = self._ids(route_text(one.name, one.description), ROUTE_TOKENS)
                ids = [self._cls, *ids, self._sep]
                rows.append((ids, [0] * len(ids)))
            self._routes.update(zip(new, self._encode(rows), strict=True))
        found = []
        for one in routes:
            self._routes.move_to_end(one)
            found.append(self._routes[one])
        while len(self._routes) > _ROUTES:
            self._routes.popitem(last=False)
        return found

    def _conversation(self, turns: Sequence[Turn]) -> tuple[list[int], list[int]]:
        """Return token ids and segments (0 last turn, 1 earlier) of a conversation."""
        first = [self._cls, *self._ids(turns[-1].text, LAST_TOKENS), self._sep]
        second: list[int] = []
        for turn in reversed(turns[-1 - EARLIER_TURNS : -1]):
            second += [*self._ids(turn.text, TURN_TOKENS), self._sep]
        second = second[:EARLIER_TOKENS]
        return first + second, [0] * len(first) + [1] * len(second)

    def _ids(self, text: str, limit: int) -> list[int]:
        """Return token ids; of a long text the head (3/5) and the tail."""
        size = limit * _CHARACTERS
        if len(text) > 2 * size:
            text = f"{text[:size]} {text[-size:]}"
        text = text.encode("utf-8", "replace").decode()  # clients may send half a surrogate pair
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) > limit:
            head = limit * 3 // 5
            ids = ids[:head] + ids[head - limit :]
        return ids

    def _encode(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[_Encoded]:
        """Run the encoder over token ids and segments, one row at a time.

        Its int8 activations are scaled by all that is in a run, so in a batch a row's vector, and
        a stranger's decision, would depend on its neighbours. On a CPU a batch gains nothing.
        """
        np = self._np
        if self._opened is None:
            raise RouterFailed("unavailable", "the model is not loaded")
        found = []
        for row, segments in rows:
            ids, kinds = np.asarray([row], np.int64), np.asarray([segments], np.int64)
            feed = {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": kinds,
            }
            (hidden,) = self._opened.session.run(["last_hidden_state"], feed)
            words = hidden[0]
            weight = np.where(kinds[0] == 1, self._head.earlier, 1.0)
            pooled = weight.astype(np.float32) @ words
            lengths = np.linalg.norm(words, axis=1, keepdims=True)
            found.append(_Encoded(pooled / np.linalg.norm(pooled), words / lengths))
        return found


def route_text(name: str, description: str) -> str:
    """Return what the encoder reads of a route; a name that says nothing is left out."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.sub(r"[_\-/.]+", " ", words).strip().lower()
    if not description:
        return words
    return description if _OPAQUE.fullmatch(name) else f"{words}: {description}"
