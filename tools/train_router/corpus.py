"""The training corpus: cards and conversations in, batches of questions out.

A *card* is one kind of request: names and descriptions an operator might give it, and prompts. A
*conversation* has a routing table of its own and a gold route for its user turns. Batches share
their routes, so that one encoding of a route serves many questions, and gradients reach both sides.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from variants import DONE, WORDS, noisy, renamed, shown

OTHER = -1
"""The gold of a question that no route of its table fits."""


@dataclass
class Card:
    """One kind of request."""

    id: str
    family: str
    names: list[str]
    descriptions: list[str]
    prompts: list[list[str]]
    """Conversations that want it, alternately user and assistant; most have one turn."""
    overlaps: set[str] = field(default_factory=set)
    """Ids of cards that could serve the same prompts, so never a wrong answer to them."""


@dataclass
class Dialogue:
    """A conversation with its table."""

    routes: list[dict[str, str]]
    messages: list[dict[str, str]]
    gold: dict[int, str]
    source: str


@dataclass
class Question:
    """One decision: the last turn, what came before (newest first), its table and its gold."""

    last: str
    earlier: list[str]
    options: list[int]
    """Rows of the batch's routes."""
    gold: int
    """Position in `options`, or `OTHER`."""


@dataclass
class Batch:
    """Questions over shared routes."""

    routes: list[tuple[str, str]]
    """Name and description, as they are encoded."""
    questions: list[Question]


class Corpus:
    """All training data, and an endless stream of batches from it.

    Args:
        seed: Of the one random source.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cards: dict[str, list[Card]] = {}
        self.dialogues: dict[str, list[Dialogue]] = defaultdict(list)
        self.chatter: list[str] = []
        """Prompts that no routing table serves."""

    def read_own(self, path: Path) -> None:
        """Read a file of cards, conversations and chatter written for this project."""
        cards = []
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "card" in row:
                prompts = [[text] for text in row["prompts"]] + row["follow_ups"]
                overlaps = set(row["overlaps"])
                names, texts = row["names"], row["descriptions"]
                cards.append(Card(row["card"], row["family"], names, texts, prompts, overlaps))
            elif "routes" in row:
                self.dialogues[f"{path.stem}:talk"].append(_dialogue(row))
            else:
                self.chatter.append(row["other"])
        if cards:
            known = {card.id: card for card in cards}
            for card in cards:
                for other in card.overlaps & known.keys():
                    known[other].overlaps.add(card.id)
            self.cards[path.stem] = cards

    def read_public(self, path: Path, sources: set[str]) -> None:
        """Read conversations of public datasets, in the evaluation format.

        Single-turn questions become cards, by the description of their gold route.
        """
        texts: dict[str, list[list[str]]] = defaultdict(list)
        names: dict[str, set[str]] = defaultdict(set)
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row["source"] not in sources:
                    continue
                if len(row["messages"]) > 1:
                    gold = {int(k): v for k, v in row["gold"].items()}
                    source = row["source"]
                    self.dialogues[source].append(
                        Dialogue(row["routes"], row["messages"], gold, source)
                    )
                    continue
                described = {r["name"]: r["description"] for r in row["routes"]}
                gold_name, text = row["gold"]["0"], row["messages"][0]["content"]
                if gold_name == "other":
                    if "oos" in row["tags"]:
                        self.chatter.append(text)
                    continue
                texts[described[gold_name]].append([text])
                if not re.fullmatch(r"\w*?[_ -]?\d+", gold_name):
                    names[described[gold_name]].add(" ".join(WORDS.findall(gold_name)).lower())
        made = [
            Card(f"clinc:{d}", "", sorted(names[d]) or [d], [d], prompts)
            for d, prompts in texts.items()
        ]
        if made:
            self.cards["clinc"] = made

    def weights(self, given: dict[str, float]) -> dict[str, float]:
        """Return how often each pool is drawn: 1 unless given, conversations 0.6."""
        every = {**dict.fromkeys(self.cards, 1.0), **dict.fromkeys(self.dialogues, 0.6), **given}
        return {name: weight for name, weight in every.items() if weight > 0}

    def batches(self, weights: dict[str, float]) -> Iterator[Batch]:
        """Yield batches for ever.

        Args:
            weights: How often each pool of cards, and each source of conversations, is drawn.
        """
        names = list(weights)
        while True:
            kind = self.random.choices(names, [weights[name] for name in names])[0]
            if kind in self.cards:
                yield self._from_cards(self.cards[kind])
            else:
                yield self._from_dialogues(self.dialogues[kind])

    def _from_cards(self, pool: list[Card], routes: int = 40, questions: int = 64) -> Batch:
        """Ask about some cards, each question with a table of its own."""
        drawn = self._drawn(pool, routes)
        texts = [shown(card.names, card.descriptions, self.random) for card in drawn]
        asked: list[Question] = []
        while len(asked) < questions:
            asked += self._asked(drawn, self.random.randrange(len(drawn)))
        return Batch(texts, asked)

    def _drawn(self, pool: list[Card], routes: int) -> list[Card]:
        """Draw cards by families, so that near neighbours meet."""
        families: dict[str, list[Card]] = defaultdict(list)
        for card in pool:
            families[card.family or card.id].append(card)
        drawn: list[Card] = []
        order = self.random.sample(sorted(families), len(families))
        broad = "coarse" in order[0]
        for family in order:
            if ("coarse" in family) != broad:
                continue  # a broad route may claim the prompts of a narrow one
            drawn += families[family]
            if len(drawn) >= routes:
                break
        return drawn[:routes]

    def _asked(self, drawn: list[Card], gold: int) -> list[Question]:
        """Return a question about one of the cards; none if the others might all serve it."""
        rng, card = self.random, drawn[gold]
        prompt = rng.choice(card.prompts)
        wrong = [i for i, c in enumerate(drawn) if c is not card and c.id not in card.overlaps]
        if not wrong:
            return []
        near = [i for i in wrong if drawn[i].family and drawn[i].family == card.family]
        size = min(rng.choice((3, 5, 7, 9, 9, 11, 15, 19)), len(wrong))
        hard = rng.sample(near, min(len(near), rng.randint(0, size)))
        rest = [i for i in wrong if i not in hard]
        options = hard + rng.sample(rest, min(len(rest), size - len(hard)))
        fate = rng.random()
        if fate < 0.09 and self.chatter:
            prompt = [rng.choice(self.chatter)]
        elif fate < 0.25:
            if rng.random() < 0.5:  # a near neighbour might fairly claim it
                options = [i for i in options if i not in near] or options[:1]
        else:
            options.append(gold)
        rng.shuffle(options)
        earlier = list(reversed(prompt[:-1]))
        if not earlier and rng.random() < 0.25:
            earlier = self._unrelated(rng.choice(drawn))
        where = options.index(gold) if gold in options else OTHER
        return [Question(noisy(prompt[-1], rng), earlier, options, where)]

    def _unrelated(self, card: Card) -> list[str]:
        """Return an earlier topic, newest turn first, that the last turn has left."""
        said = self.random.choice(card.prompts)
        done = self.random.choice(DONE)
        return [done, *reversed(said)] if len(said) == 1 else list(reversed(said[:-1]))

    def _from_dialogues(self, pool: list[Dialogue], questions: int = 40) -> Batch:
        rng = self.random
        rows: dict[tuple[str, str], int] = {}
        asked: list[Question] = []
        while len(asked) < questions:
            one = rng.choice(pool)
            shown = renamed(one.routes, rng)
            options = [rows.setdefault(text, len(rows)) for text in shown]
            where = {route["name"]: index for index, route in enumerate(one.routes)}
            for index, gold in one.gold.items():
                earlier = [m["content"] for m in reversed(one.messages[max(0, index - 4) : index])]
                answer = where.get(gold, OTHER)
                kept, place = list(options), answer
                if answer != OTHER and len(options) > 3 and rng.random() < 0.08:
                    kept.pop(answer)
                    place = OTHER
                asked.append(
                    Question(noisy(one.messages[index]["content"], rng), earlier, kept, place)
                )
            if len(rows) > 60:
                break
        return Batch(list(rows), asked[: questions + 16])


def _dialogue(row: dict[str, Any]) -> Dialogue:
    messages, gold = [], {}
    for turn in row["turns"]:
        if "user" in turn:
            if turn.get("gold") is not None:
                gold[len(messages)] = turn["gold"]
            messages.append({"role": "user", "content": turn["user"]})
        else:
            messages.append({"role": "assistant", "content": turn["assistant"]})
    return Dialogue(row["routes"], messages, gold, "own")
