"""How a network does on an evaluation file: `python tools/train_router/evaluate.py --help`."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from network import Network

SEEN = ("clinc150", "clinc150-drift", "sgd", "sgd-x-v1")


@torch.no_grad()
def logits_of(network: Network, path: Path) -> list[dict[str, Any]]:
    """Return logits of every decision of a file, with its source and gold."""
    network.eval()
    found = []
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        names = [route["name"] for route in row["routes"]]
        routes = network.routes([(route["name"], route["description"]) for route in row["routes"]])
        rows = []
        for index in row["gold"]:
            before = row["messages"][max(0, int(index) - 4) : int(index)]
            earlier = [message["content"] for message in reversed(before)]
            rows.append(network.conversation(row["messages"][int(index)]["content"], earlier))
        logits, none = network.scores(network.encode(rows), routes)
        for (index, gold), scores, nothing in zip(row["gold"].items(), logits, none, strict=True):
            want = len(names) if gold == "other" and "other" not in names else names.index(gold)
            found.append({
                "id": row["id"], "source": row["source"], "index": int(index), "gold": want,
                "logits": np.append(scores.numpy(), nothing.item()),
            })  # fmt: skip
    return found


def summary(found: list[dict[str, Any]], offset: float = 0.0) -> dict[str, Any]:
    """Return accuracies; `offset` is added to the logit of `other`."""
    by: dict[str, list[bool]] = defaultdict(list)
    right, other, false_other = [], [], 0
    for one in found:
        logits = one["logits"].copy()
        logits[-1] += offset
        guess = int(logits.argmax())
        good = guess == one["gold"]
        right.append(good)
        by[one["source"]].append(good)
        if one["gold"] == len(logits) - 1:
            other.append(good)
        elif guess == len(logits) - 1:
            false_other += 1
    unseen = [g for one, g in zip(found, right, strict=True) if one["source"] not in SEEN]
    seen = [g for one, g in zip(found, right, strict=True) if one["source"] in SEEN]
    return {
        "turn": round(float(np.mean(right)), 4), "seen": round(float(np.mean(seen)), 4),
        "unseen": round(float(np.mean(unseen)), 4), "other_recall": round(float(np.mean(other)), 4),
        "false_other": false_other,
        "by_source": {k: round(float(np.mean(v)), 3) for k, v in sorted(by.items())},
    }  # fmt: skip


def evaluate(network: Network, path: Path) -> dict[str, Any]:
    """Return accuracies at some offsets of `other`."""
    found = logits_of(network, path)
    return {f"{offset:+.1f}": summary(found, offset) for offset in (-2.0, -1.0, 0.0, 1.0)}


def main() -> None:
    """Evaluate weights that `train.py` wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("dev", type=Path)
    parser.add_argument("--weights", type=Path, help="router.pt")
    parser.add_argument("--no-late", action="store_true")
    options = parser.parse_args()
    network = Network(options.base, late=not options.no_late)
    if options.weights:
        network.load_state_dict(torch.load(options.weights, weights_only=True))
    print(json.dumps(evaluate(network, options.dev), indent=1))


if __name__ == "__main__":
    main()
