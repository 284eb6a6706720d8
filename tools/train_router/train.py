"""Train the embedded router: `python tools/train_router/train.py --help`."""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from corpus import Batch, Corpus
from evaluate import evaluate
from network import Network
from overlaps import mark_overlaps
from torch import Tensor, nn

HERE = Path(__file__).parent
GROUP = 16
"""Questions encoded together."""
HEAD_RATE = 3e-3
"""Learning rate of the few numbers beside the encoder."""


def main() -> None:
    """Train for some minutes and write the weights."""
    options = parse()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    corpus = Corpus(options.seed)
    for file in sorted(options.data.glob("*.jsonl")):
        corpus.read_own(file)
    if options.public:
        corpus.read_public(options.public, set(options.sources))
    network = Network(options.base, late=not options.no_late)
    print("cards that may claim each other's prompts:", mark_overlaps(corpus, network), flush=True)
    if options.resume:
        network.load_state_dict(torch.load(options.resume, weights_only=True))
    trainer = Trainer(network, options.rate, options.average)
    trainer.run(corpus, corpus.weights(options.weights), options.minutes * 60)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(trainer.average.state_dict(), options.out / "router.pt")
    report = {
        "questions": trainer.seen,
        "steps": trainer.step,
        **{k: str(v) for k, v in vars(options).items()},
    }
    (options.out / "training.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    if options.dev:
        print(json.dumps(evaluate(trainer.average, options.dev), indent=1))


@dataclass
class Trainer:
    """One run: weights in half precision, their exact copies, and the average over the run.

    The words' own vectors stay as they were: those that are not in the data keep their meaning.
    There is no dropout; averaging does that work, and dropout costs a tenth of the time.
    """

    network: Network
    rate: float
    keep: float
    """Share of the average that stays at each step."""
    seen: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        network = self.network
        self.average = copy.deepcopy(network)
        self.average.requires_grad_(False)
        self.average.eval()
        network.encoder.embeddings.requires_grad_(False)
        names = [name for name, p in network.encoder.named_parameters() if p.requires_grad]
        self.body = [network.encoder.get_parameter(name) for name in names]
        self.exact = [p.detach().clone().requires_grad_() for p in self.body]
        self.head = [
            network.null,
            network.threshold,
            network.scale,
            network.earlier,
            network.meeting,
        ]
        mean = self.average
        self.means = [mean.encoder.get_parameter(name) for name in names]
        self.means += [mean.null, mean.threshold, mean.scale, mean.earlier, mean.meeting]
        network.encoder.to(torch.bfloat16)
        network.eval()
        groups = [
            {"params": self.exact, "lr": self.rate},
            {"params": [p for p in self.head if p.requires_grad], "lr": HEAD_RATE},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)

    def run(self, corpus: Corpus, weights: dict[str, float], seconds: float) -> None:
        """Train until the time is over, with a warm-up and a linear decay."""
        began = time.time()
        for batch in corpus.batches(weights):
            share = (time.time() - began) / seconds
            if share >= 1:
                return
            for group, rate in zip(
                self.optimizer.param_groups, (self.rate, HEAD_RATE), strict=True
            ):
                group["lr"] = rate * min(1.0, share / 0.05 + 0.02) * (1 - share)
            self.learn(batch)
            if self.step % 50 == 0:
                spent, loss = time.time() - began, sum(self.losses[-50:]) / 50
                print(f"{spent:.0f}s step {self.step} seen {self.seen} loss {loss:.3f}", flush=True)

    def learn(self, batch: Batch) -> None:
        """Make one step."""
        self.network.zero_grad()
        loss = loss_of(self.network, batch)
        loss.backward()
        for exact, rough in zip(self.exact, self.body, strict=True):
            exact.grad = rough.grad.float() if rough.grad is not None else None
        nn.utils.clip_grad_norm_([*self.exact, *self.head], 1.0)
        self.optimizer.step()
        self.step += 1
        self.seen += len(batch.questions)
        self.losses.append(loss.item())
        with torch.no_grad():
            torch._foreach_copy_(self.body, self.exact)
            keep = min(self.keep, self.step / (self.step + 10))
            torch._foreach_lerp_(self.means, [*self.exact, *self.head], 1 - keep)


def loss_of(network: Network, batch: Batch) -> Tensor:
    """Return the cross entropy of a batch over each question's own table and `other`."""
    routes = network.routes(batch.routes)
    asked = [(network.conversation(q.last, q.earlier), q) for q in batch.questions]
    asked.sort(key=lambda pair: len(pair[0][0]))  # like lengths together: less padding
    losses = []
    for start in range(0, len(asked), GROUP):
        group = asked[start : start + GROUP]
        logits, none = network.scores(network.encode([row for row, _ in group]), routes)
        allowed = torch.full(logits.shape, -1e4)
        gold = []
        for row, (_, question) in enumerate(group):
            allowed[row, question.options] = 0.0
            gold.append(question.options[question.gold] if question.gold >= 0 else logits.shape[1])
        full = torch.cat([logits + allowed, none[:, None]], 1)
        losses.append(nn.functional.cross_entropy(full, torch.tensor(gold), reduction="none"))
    return torch.cat(losses).mean()


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="directory of the pre-trained encoder")
    parser.add_argument("--data", type=Path, default=HERE / "data")
    parser.add_argument("--public", type=Path, help="conversations of public datasets, .jsonl.gz")
    parser.add_argument("--sources", nargs="*", default=["clinc150", "clinc150-drift"])
    parser.add_argument("--weights", type=json.loads, default={}, help="JSON: pool -> how often")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=6e-5)
    parser.add_argument("--average", type=float, default=0.998)
    parser.add_argument("--resume", type=Path, help="weights to go on from")
    parser.add_argument("--no-late", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dev", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
