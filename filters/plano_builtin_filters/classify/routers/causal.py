"""A causal language model as optimum exports it, run without torch.

The graph is `text-generation-with-past`: it reads some tokens after a key-value cache, and returns
scores and the longer cache. One graph reads a whole prompt, the rest of one, or one token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from plano_builtin_filters.classify.routers.manifest import GRAPH, read_json
from plano_builtin_filters.classify.routers.protocol import RouterFailed
from plano_builtin_filters.classify.routers.runtime import Device, Opened, open_session, runtime

Logits = NDArray[np.float32]
_PAST: Final = "past_key_values"
_FLOATS: Final = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True, slots=True)
class KV:
    """What the model remembers of the tokens it has read.

    Arrays of shape (rows, heads, tokens, width): the keys of the first layer, its values, and so
    on. Where the model runs bound to a device, they are ONNX Runtime's own values, and stay there.
    """

    arrays: tuple[Any, ...]
    tokens: int
    nbytes: int
    device: str | None = None
    """None for numpy arrays."""
    rows: int = 1
    shared: bool = False
    """Whether the memory belongs to another, longer one."""

    def first(self, tokens: int) -> KV:
        """Return those of the first tokens. On a device this goes through the host's memory."""
        if tokens == self.tokens:
            return self
        return self._of([array[:, :, :tokens] for array in self._on_host()], tokens, shared=True)

    def repeated(self, rows: int) -> KV:
        """Return a batch in which every row remembers the same."""
        if rows == self.rows:
            return self
        return self._of([np.repeat(a, rows, axis=0) for a in self._on_host()], self.tokens)

    def owned(self) -> KV:
        """Return one that keeps no longer one alive."""
        if not self.shared:
            return self
        return self._of([np.ascontiguousarray(array) for array in self.arrays], self.tokens)

    def _on_host(self) -> list[NDArray[Any]]:
        if self.device is None:
            return list(self.arrays)
        return [value.numpy() for value in self.arrays]

    def _of(self, arrays: list[NDArray[Any]], tokens: int, *, shared: bool = False) -> KV:
        nbytes, rows = sum(array.nbytes for array in arrays), len(arrays[0])
        if self.device is None:
            return KV(tuple(arrays), tokens, nbytes, rows=rows, shared=shared)
        place = runtime().OrtValue.ortvalue_from_numpy
        values = tuple(place(np.ascontiguousarray(a), self.device, 0) for a in arrays)
        return KV(values, tokens, nbytes, self.device, rows)


class CausalModel:
    """The graph.

    Args:
        opened: The session.
        config: `config.json` of the model, for what the graph does not say.
        bound: The device on which the cache stays between passes; None to take it out as numpy
            arrays, which costs nothing where the model runs on the CPU.

    Raises:
        RouterFailed: The graph is not of this kind.
    """

    def __init__(self, opened: Opened, config: dict[str, Any], *, bound: str | None = None) -> None:
        self._session = opened.session
        self.where = opened.where
        self._bound = bound
        inputs = {entry.name: entry for entry in opened.session.get_inputs()}
        outputs = [entry.name for entry in opened.session.get_outputs()]
        self._inputs = frozenset(inputs)
        self._past = [name for name in inputs if name.startswith(_PAST)]
        self._present = [name.replace(_PAST, "present") for name in self._past]
        if not self._past or not {"logits", *self._present} <= set(outputs):
            raise RouterFailed("unavailable", "the graph is no text-generation-with-past export")
        first = inputs[self._past[0]]
        if first.type not in _FLOATS:
            raise RouterFailed("unavailable", f"the graph's cache has type {first.type}")
        self._dtype = _FLOATS[first.type]
        self._heads, self._width = _shape(first.shape, config)
        self.batches = "position_ids" in inputs
        """Fused graphs (GroupQueryAttention) refuse several rows of several tokens with a past."""
        self.longest = int(config.get("max_position_embeddings") or 0)
        """Tokens that the model can read at most; 0 if it does not say."""
        self.slices = bound is None
        """Whether a part of a cache costs nothing; on a device it takes as long as reading anew."""
        self.passes = 0
        """How often the graph was run."""

    @classmethod
    def open(cls, directory: Path, *, device: Device = "auto", threads: int = 0) -> Self:
        """Open the export in a directory.

        Raises:
            RouterFailed: It is missing or cannot be run.
        """
        opened = open_session(directory / GRAPH, device=device, threads=threads)
        bound = "cuda" if opened.device == "cuda" else None
        return cls(opened, read_json(directory / "config.json"), bound=bound)

    def forward(self, tokens: Sequence[int], past: KV | None = None) -> tuple[Logits, KV]:
        """Read some tokens, at least one, after what was read before.

        Returns:
            The scores of what may follow the last one, shape (vocabulary,), and the longer cache.
        """
        logits, kv = self._run([list(tokens)], past)
        return logits[0], kv

    def batch(self, rows: Sequence[Sequence[int]], past: KV | None = None) -> Logits:
        """Read several continuations of the same past, or each of its own row of it.

        Returns:
            The scores of what may follow each row, shape (rows, vocabulary).
        """
        if not self.batches:
            return np.stack([self.forward(row, past)[0] for row in rows])
        return self._run(rows, past.repeated(len(rows)) if past is not None else None)[0]

    def _run(self, rows: Sequence[Sequence[int]], past: KV | None) -> tuple[Logits, KV]:
        before = past.tokens if past is not None else 0
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        count, width = len(rows), int(lengths.max())
        ids = np.zeros((count, width), dtype=np.int64)
        for row, tokens in zip(ids, rows, strict=True):
            row[: len(tokens)] = tokens
        steps = np.arange(before + width, dtype=np.int64)
        last = np.arange(count, dtype=np.int64) * width + lengths - 1
        feed = {
            "input_ids": ids,
            "attention_mask": (steps < before + lengths[:, None]).astype(np.int64),
            # Nothing derives positions from the mask; without them every suffix starts at 0.
            "position_ids": np.ascontiguousarray(np.broadcast_to(steps[before:], ids.shape)),
            "logits_index": last,
        }
        feed = {name: array for name, array in feed.items() if name in self._inputs}
        self.passes += 1
        run = self._run_arrays if self._bound is None else self._run_bound
        logits, present = run(feed, past, count)
        if "logits_index" not in self._inputs:
            logits = logits.reshape(-1, logits.shape[-1])[last]
        shape = (count, self._heads, before + width, self._width)
        nbytes = int(np.prod(shape)) * np.dtype(self._dtype).itemsize * len(present)
        kv = KV(present, before + width, nbytes, self._bound, count)
        return logits.astype(np.float32), kv

    def _run_arrays(
        self, feed: dict[str, NDArray[Any]], past: KV | None, rows: int
    ) -> tuple[NDArray[Any], tuple[Any, ...]]:
        arrays = past.arrays if past is not None else [self._nothing(rows)] * len(self._past)
        feed |= dict(zip(self._past, arrays, strict=True))
        logits, *present = self._session.run(["logits", *self._present], feed)
        return logits, tuple(present)

    def _run_bound(
        self, feed: dict[str, NDArray[Any]], past: KV | None, rows: int
    ) -> tuple[NDArray[Any], tuple[Any, ...]]:
        binding = self._session.io_binding()
        for name, array in feed.items():
            binding.bind_cpu_input(name, array)
        for number, name in enumerate(self._past):
            if past is None:
                binding.bind_cpu_input(name, self._nothing(rows))
            else:
                binding.bind_ortvalue_input(name, past.arrays[number])
        binding.bind_output("logits", "cpu")
        for name in self._present:  # without a shape: the runtime allocates it, on the device
            binding.bind_output(name, self._bound, 0)
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        logits, *present = binding.get_outputs()
        return logits.numpy(), tuple(present)

    def _nothing(self, rows: int) -> NDArray[Any]:
        return np.zeros((rows, self._heads, 0, self._width), dtype=self._dtype)


class Text:
    """Turns a message into the tokens of a prompt: the model's chat template and tokenizer.

    Raises:
        RouterFailed: One of them is missing or broken.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / "tokenizer.json"
        try:
            self._tokenizer = import_module("tokenizers").Tokenizer.from_file(str(path))
            jinja2 = import_module("jinja2.sandbox")
        except ImportError as error:
            raise RouterFailed(
                "unavailable", f"{error.name} is not installed: pip install 'plano-filters[cpu]'"
            ) from error
        except Exception as error:  # tokenizers has no error class of its own
            raise RouterFailed("unavailable", f"{path} cannot be read: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        added = self._tokenizer.get_added_tokens_decoder().values()
        special = sorted((token.content for token in added if token.special), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special)) or "(?!)")
        config = read_json(directory / "tokenizer_config.json")
        self._names = {key: _token(config.get(key)) for key in ("bos_token", "eos_token")}
        environment = jinja2.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _raise
        template = _template(directory, config)
        try:
            self._template = environment.from_string(template)
            self.chat("")
        except Exception as error:  # whatever a template from elsewhere may do
            raise RouterFailed("unavailable", f"the chat template fails: {error}") from error
        self.end = self._tokenizer.token_to_id(self._names["eos_token"])
        """The token that ends an answer; None if the tokenizer does not say."""

    def chat(self, message: str) -> str:
        """Write the prompt of one user message, up to where the answer starts."""
        # Nobody may end the message and speak for the model from within it.
        safe = self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", message)
        rendered: str = self._template.render(
            messages=[{"role": "user", "content": safe}], add_generation_prompt=True, **self._names
        )
        return rendered

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, special ones included, none added."""
        text = text.encode("utf-8", "replace").decode()  # JSON can hold half a character
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens."""
        text: str = self._tokenizer.decode(list(tokens))
        return text


def _shape(shape: Sequence[Any], config: dict[str, Any]) -> tuple[int, int]:
    """Return heads and width of the cache: from the graph, or from the configuration."""
    _, heads, _, width = shape
    queries = config.get("num_attention_heads")
    if not isinstance(heads, int):
        heads = config.get("num_key_value_heads") or queries
    if not isinstance(width, int):
        width = config.get("head_dim") or (
            config["hidden_size"] // queries if queries and "hidden_size" in config else None
        )
    if not heads or not width:
        raise RouterFailed("unavailable", "neither graph nor config.json give the cache's shape")
    return int(heads), int(width)


def _template(directory: Path, config: dict[str, Any]) -> str:
    path = directory / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    found = config.get("chat_template")
    if isinstance(found, list):  # several, by name
        found = next((entry["template"] for entry in found if entry["name"] == "default"), None)
    if not isinstance(found, str):
        raise RouterFailed(
            "unavailable",
            f"{directory} has no chat template, in chat_template.jinja or tokenizer_config.json",
        )
    return found


def _token(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""


def _raise(message: str) -> None:
    raise ValueError(message)
