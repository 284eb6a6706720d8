"""Scoring the legal answers as a tree of tokens, instead of generating one freely.

Only where answers differ is the model asked, and only for the tokens that may follow: the scores
of those are turned into probabilities that sum to 1 among themselves. So an illegal answer is
impossible, tokens without a choice cost nothing, and each answer has a probability: the product of
those on its way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Path = tuple[int, ...]
Next = Callable[[Path], NDArray[Any]]
"""The score of every token after the prompt and these tokens: logits, or log probabilities."""

NEGLIGIBLE: Final = 0.05
"""A branch with less than this is not looked into to find the runner-up.

The margin is then known to within as much, which decides nothing, and a pass costs as much as the
first where no token can be saved.
"""


@dataclass(slots=True)
class Node:
    """What may follow some tokens: other tokens, or the end of an answer."""

    children: dict[int, Node] = field(default_factory=dict)
    answer: int | None = None


class Trie:
    """The legal answers.

    Args:
        answers: The tokens of each. Of equal ones the first has the probability, the others 0: a
            route that is called like the answer "no route" takes its place.

    Raises:
        ValueError: An answer is empty or the beginning of another, or there is none.
    """

    def __init__(self, answers: Sequence[Sequence[int]]) -> None:
        if not answers:
            raise ValueError("there is no answer")
        self.size = len(answers)
        self.root = Node()
        for number, tokens in enumerate(answers):
            self._add(number, tokens)
        self.head, self.top = forced((), self.root)
        """The tokens that all answers begin with, and where they part."""

    def _add(self, number: int, tokens: Sequence[int]) -> None:
        node = self.root
        for token in tokens:
            if node.answer is not None:
                raise ValueError("an answer is the beginning of another")
            node = node.children.setdefault(token, Node())
        if node.children or not tokens:
            raise ValueError("an answer is empty, or the beginning of another")
        if node.answer is None:
            node.answer = number


@dataclass(frozen=True, slots=True)
class Found:
    """The probabilities of all answers, and what they cost."""

    probabilities: tuple[float, ...]
    """They sum to 1."""
    exact: tuple[bool, ...]
    """False for an answer in a branch that was not looked into: an equal share of the branch."""
    passes: int
    """How often the model was asked."""

    @property
    def best(self) -> int:
        """The likeliest answer; the first of equals."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


def search(trie: Trie, following: Next, *, exhaustive: bool = False) -> Found:
    """Score the answers, likeliest branch first.

    It stops when no branch that was not looked into can hold a better answer than the best, nor,
    unless it is negligible, than the second. Such a branch's probability is known, and goes to its
    answers in equal shares: this claims least, cannot change who is first, and all still sum to 1.

    Args:
        trie: The answers.
        following: Asks the model.
        exhaustive: Look into every branch.

    Raises:
        ValueError: A score is not a finite number.
    """
    probabilities = np.zeros(trie.size)
    exact = np.ones(trie.size, dtype=np.bool_)
    order, passes, known = count(), 0, 0
    waiting = [(-1.0, next(order), trie.head, trie.top)]
    while waiting:
        mass, _, path, node = heapq.heappop(waiting)
        if node.answer is not None:
            probabilities[node.answer] = -mass
            known += 1
            continue
        # Answers come out of the heap before all branches that are not likelier.
        if not exhaustive and (known > 1 or (known == 1 and -mass <= NEGLIGIBLE)):
            heapq.heappush(waiting, (mass, next(order), path, node))
            break
        shares = _shares(node, following(path))
        passes += 1
        for (token, child), share in zip(node.children.items(), shares, strict=True):
            end, below = forced((*path, token), child)
            heapq.heappush(waiting, (mass * share, next(order), end, below))
    for mass, _, _, node in waiting:
        answers = list(_answers(node))
        probabilities[answers] = -mass / len(answers)
        exact[answers] = node.answer is not None
    probabilities /= probabilities.sum()
    return Found(tuple(probabilities.tolist()), tuple(exact.tolist()), passes)


def greedy(trie: Trie, following: Next) -> tuple[int, int]:
    """Take the likeliest legal token at each step, as free generation does.

    Where free generation gives a legal answer, this gives the same. It is also what `search` finds,
    unless a branch that is likelier than another as a whole has no answer that is.

    Returns:
        The answer, and how often the model was asked.
    """
    path, node, passes = trie.head, trie.top, 0
    while node.answer is None:
        tokens = list(node.children)
        token = tokens[int(np.argmax(following(path)[tokens]))]
        path, node = forced((*path, token), node.children[token])
        passes += 1
    return node.answer, passes


def tempered(probabilities: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Sharpen or flatten probabilities without changing their order.

    Args:
        probabilities: They sum to 1.
        temperature: Above 1 flattens. Each probability is raised to 1/temperature.
    """
    if temperature == 1:
        return tuple(probabilities)
    with np.errstate(divide="ignore"):  # the logarithm of 0, for an answer that cannot be given
        scores = np.log(np.asarray(probabilities, dtype=np.float64)) / temperature
    weights = np.exp(scores - scores.max())
    return tuple((weights / weights.sum()).tolist())


def forced(path: Path, node: Node) -> tuple[Path, Node]:
    """Follow tokens that have no alternative, to the next choice or the end."""
    tokens = list(path)
    while node.answer is None and len(node.children) == 1:
        ((token, node),) = node.children.items()
        tokens.append(token)
    return tuple(tokens), node


def _shares(node: Node, scores: NDArray[Any]) -> list[float]:
    """Turn the scores of the tokens that may follow into probabilities among themselves."""
    chosen = scores[list(node.children)].astype(np.float64)
    if not np.isfinite(chosen).all():
        raise ValueError("the model gives scores that are not finite")
    weights = np.exp(chosen - chosen.max())
    return (weights / weights.sum()).tolist()  # type: ignore[no-any-return]  # it is a vector


def _answers(node: Node) -> Iterator[int]:
    nodes = [node]
    while nodes:
        node = nodes.pop()
        if node.answer is not None:
            yield node.answer
        nodes.extend(node.children.values())
