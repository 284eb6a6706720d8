"""What a decision of the `onnx` router costs: generated or searched, with and without its cache.

python -m benchmarks.bench_router MODEL_DIRECTORY [--device cpu] [--threads 2] [--quick]
python -m benchmarks.bench_router --shape qwen2.5-1.5b --device cuda --dtype fp16
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, description
from plano_builtin_filters.classify.routers import trie
from plano_builtin_filters.classify.routers.causal import KV, CausalModel
from plano_builtin_filters.classify.routers.graph import cut
from plano_builtin_filters.classify.routers.onnx import OnnxModel
from plano_builtin_filters.classify.routers.protocol import Question, RouteOption, Turn

RESULTS = ROOT / "benchmarks" / "results"
TOPICS = (
    "code generation", "code review", "creative writing", "travel", "maths", "legal advice",
    "medicine", "cooking", "finance", "translation", "data analysis", "customer support", "music",
    "gardening", "history", "chemistry", "sports", "email drafting", "interview practice", "games",
)  # fmt: skip
WORDS = ("the", "bug", "in", "my", "parser", "gives", "wrong", "results", "for", "nested", "lists")
ROUTES = (5, 10, 20)
CONVERSATION = (50, 250, 1000)
"""Words, about as many tokens."""
SHAPES: dict[str, dict[str, Any]] = {
    "qwen2.5-0.5b": {
        "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936,
    },
    "qwen2.5-1.5b": {
        "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936,
    },
    "tiny": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1000,
    },
}  # fmt: skip
BATCHES = (1, 8, 32)
PROMPT, STATIC = 500, 285
"""Tokens of a prompt for 10 routes, and of them those that never change (Arch-Router's prompt)."""
Figures = dict[str, Any]


def main() -> None:
    """Measure, print, save."""
    options = arguments()
    figures: Figures = {"device": options.device, "threads": options.threads}
    if options.shape:
        figures |= {"shape": options.shape, "dtype": options.dtype, **of_shape(options)}
    else:
        figures |= {"model": options.directory.name, **of_directory(options)}
    document = {**description(), "runtime": versions(), **figures}
    text = json.dumps(document, indent=1)
    print(text)
    if not options.no_save:
        stamp = document["date"][:19].replace(":", "").replace("T", "-")
        (RESULTS / f"{stamp}-router.json").write_text(text + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Return which ONNX Runtime is installed, and what made the models."""
    found = {}
    for name in ("onnxruntime", "onnxruntime-gpu", "torch", "transformers", "optimum-onnx"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", nargs="?", type=Path, help="an exported model")
    parser.add_argument("--shape", choices=SHAPES, help="random weights of this shape instead")
    parser.add_argument("--dtype", choices=("fp32", "fp16"), default="fp32")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=0, help="on the CPU; 0 for all cores")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one round of the smallest cases")
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()
    if (options.directory is None) == (options.shape is None):
        parser.error("either an exported model or a shape")
    return options


def of_directory(options: argparse.Namespace) -> Figures:
    """Measure an exported model on prompts of several lengths, with several routing tables."""
    settings: dict[str, Any] = {"device": options.device, "threads": options.threads}
    warm, cold = (
        OnnxModel(options.directory, cache_bytes=size, **settings) for size in (1 << 28, 0)
    )
    for model in (warm, cold):
        model.load()
    rounds = 1 if options.quick else options.rounds
    rows = []
    for routes in ROUTES[:1] if options.quick else ROUTES:
        table = tuple(
            RouteOption(name, f"all about {name}: {name} tasks") for name in TOPICS[:routes]
        )
        warm.warm(table)
        for words in CONVERSATION[:1] if options.quick else CONVERSATION:
            rows.append(decisions(warm, cold, table, words, rounds))
            print(json.dumps(rows[-1]), flush=True)
    return {"where": warm.model.where, "runs_as": warm.describe(), "decisions": rows}


def decisions(
    warm: OnnxModel, cold: OnnxModel, table: tuple[RouteOption, ...], words: int, rounds: int
) -> Figures:
    """Measure the same questions in four ways, in turn, so that a disturbance meets all of them."""
    ways: dict[str, Callable[[Question], tuple[int, int]]] = {
        "greedy": lambda question: generated(cold, question),
        "greedy_prefix": lambda question: generated(warm, question),
        "trie": lambda question: searched(cold, question),
        "trie_prefix": lambda question: searched(warm, question),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    passes: dict[str, list[int]] = {way: [] for way in ways}
    tokens, same = [], 0
    for number in range(rounds):
        question = Question((Turn("user", sentence(words, number)),), table)
        tokens.append(len(warm.prompt(question)))
        answers = []
        for way, ask in ways.items():
            started = time.perf_counter()
            answer, count = ask(question)
            seconds[way].append(time.perf_counter() - started)
            passes[way].append(count)
            answers.append(answer)
        same += answers[2] == answers[3]
    p50 = {way: round(1000 * median(values), 2) for way, values in seconds.items()}
    return {
        "routes": len(table),
        "tokens": int(median(tokens)),
        "p50_ms": p50,
        "passes": {way: round(sum(values) / rounds, 2) for way, values in passes.items()},
        "same_answer_with_prefix": f"{same}/{rounds}",
        "trie_prefix_over_greedy_prefix": round(p50["greedy_prefix"] / p50["trie_prefix"], 2),
        "trie_prefix_over_greedy": round(p50["greedy"] / p50["trie_prefix"], 2),
    }


def searched(model: OnnxModel, question: Question) -> tuple[int, int]:
    """Answer as the router does."""
    found = model.search(question)
    return found.best, found.passes


def generated(model: OnnxModel, question: Question) -> tuple[int, int]:
    """Answer token by token, as a server with a grammar does: one pass each, and one for the end.

    A model that was not trained to route would not stop by itself, and look worse than it is.
    """
    reader = model.reader(question)
    legal = trie.Trie(
        [model.text.encode(model.template.reply(n)) for n in (*question.names, "other")]
    )
    path: trie.Path = ()
    node = legal.root
    while node.answer is None:
        choices = list(node.children)
        token = choices[int(np.argmax(reader(path)[choices]))]
        path, node = (*path, token), node.children[token]
    reader(path)
    return node.answer, len(path) + 1


def sentence(words: int, seed: int) -> str:
    """Return so many words at random, different for each seed from the first on."""
    random = Random(seed)
    return " ".join([str(seed), *random.choices(WORDS, k=words)])


def of_shape(options: argparse.Namespace) -> Figures:
    """Measure a model with random weights: its speed is that of any of the same shape."""
    with TemporaryDirectory() as folder:
        make(Path(folder), SHAPES[options.shape], options.dtype)
        model = CausalModel.open(Path(folder), device=options.device, threads=options.threads)
        rounds = 3 if options.quick else max(options.rounds, 20)
        rows = [of_batch(model, batch, rounds) for batch in BATCHES[: 1 if options.quick else None]]
        return {"where": model.where, "prompt": PROMPT, "static": STATIC, "batches": rows}


def of_batch(model: CausalModel, batch: int, rounds: int) -> Figures:
    """Measure prompts side by side: read whole, and after what they have in common."""
    random = np.random.default_rng(batch)
    static = random.integers(0, 900, STATIC).tolist()
    _, past = model.forward(static)
    shared = past.repeated(batch) if batch > 1 else past
    rests = [random.integers(0, 900, PROMPT - STATIC).tolist() for _ in range(batch)]
    whole = [[*static, *rest] for rest in rests]
    figures: Figures = {
        "batch": batch,
        "cold_p50_ms": p50(rounds, lambda: model.batch(whole)),
        "prefix_p50_ms": p50(rounds, lambda: model.batch(rests, shared)),
    }
    if batch == 1:
        legal = trie.Trie([[1, 2, 3, 10 + number, 4, 5] for number in range(11)])
        figures |= {
            "decision_cold_p50_ms": p50(rounds, lambda: decide(model, legal, whole[0], None)),
            "decision_prefix_p50_ms": p50(rounds, lambda: decide(model, legal, rests[0], past)),
            "next_token_p50_ms": p50(rounds, lambda: model.forward([7], past)),
        }
    print(json.dumps(figures), flush=True)
    return figures


def decide(model: CausalModel, legal: trie.Trie, prompt: Sequence[int], past: KV | None) -> None:
    """Make a decision of one pass."""
    trie.search(legal, lambda path: model.forward([*prompt, *path], past)[0])


def p50(rounds: int, run: Callable[[], object]) -> float:
    """Return the median time in milliseconds, after two runs that do not count."""
    seconds = []
    for number in range(rounds + 2):
        started = time.perf_counter()
        run()
        if number >= 2:
            seconds.append(time.perf_counter() - started)
    return round(1000 * median(seconds), 2)


def make(folder: Path, shape: dict[str, Any], dtype: str) -> None:
    """Export a Qwen2 with random weights."""
    onnx, torch, transformers, optimum = (
        import_module(name) for name in ("onnx", "torch", "transformers", "optimum.exporters.onnx")
    )
    config = transformers.Qwen2Config(
        **shape, tie_word_embeddings=True, max_position_embeddings=32768, rope_theta=1e6
    )
    torch.manual_seed(0)
    model = transformers.Qwen2ForCausalLM(config).eval()
    model = model.half() if dtype == "fp16" else model
    with warnings.catch_warnings(action="ignore"):
        optimum.onnx_export_from_model(
            model, folder, task="text-generation-with-past", do_validation=False, device="cpu"
        )
    path = folder / "model.onnx"
    document = onnx.load(path)
    for file in folder.glob("model.onnx*"):
        file.unlink()
    cut(document)
    size = sum(len(weight.raw_data) for weight in document.graph.initializer)
    onnx.save(
        document, path, save_as_external_data=size > 1_500_000_000, location="model.onnx.data"
    )


if __name__ == "__main__":
    main()
