"""Cards that mean nearly the same, wherever they were written."""

from __future__ import annotations

import torch
from corpus import Corpus
from network import Network
from torch import nn


@torch.no_grad()
def mark_overlaps(corpus: Corpus, network: Network, limit: float = 0.6) -> int:
    """Let cards of different families that mean nearly the same never be wrong for each other.

    Within a family the authors said so themselves.

    Args:
        corpus: Its cards are changed.
        network: Untrained, so that the same pairs are found at every start.
        limit: Least cosine of the mean vectors of their descriptions.

    Returns:
        How many pairs were found.
    """
    found = 0
    for cards in corpus.cards.values():
        rows = [network.routes([(c.names[0], d) for d in c.descriptions])[0].mean(0) for c in cards]
        vectors = nn.functional.normalize(torch.stack(rows), dim=-1)
        for one, other in (vectors @ vectors.T > limit).nonzero().tolist():
            left, right = cards[one], cards[other]
            if one < other and (not left.family or left.family != right.family):
                left.overlaps.add(right.id)
                right.overlaps.add(left.id)
                found += 1
    return found
