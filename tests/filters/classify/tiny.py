"""A tiny Qwen2 with random weights and a tokenizer of its own, exported as a real one is.

It routes at random: what is tested with it is that it computes what torch does, whichever way the
prompt is split, and never which route is right.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Final

import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from plano_builtin_filters.classify.routers.export import Dtype, export, need
from plano_builtin_filters.classify.routers.prompts import TEMPLATES
from plano_builtin_filters.classify.routers.protocol import RouteOption, Turn

CHAT: Final = (
    "{%- for message in messages %}{%- if loop.first and message.role != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{%- endif %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{%- endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}"
)
"""The template of Qwen2.5, without its tools."""
SPLIT: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2.5 cuts a text before it looks for tokens."""
SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ROUTES: Final = (
    RouteOption("code generation", "writing new program code from a description"),
    RouteOption("code review", "finding bugs and bad style in program code"),
    RouteOption("creative writing", "stories, poems and other creative texts"),
    RouteOption("travel", "flights, hotels, visas and what to see"),
    RouteOption("maths", "calculations, equations and proofs"),
)
HIDDEN: Final = 64
CONTEXT: Final = 4096


def shared(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a test run share."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "router-models"


def make(folder: Path, *, chat: bool = True) -> None:
    """Write a model as `save_pretrained` does: weights, configuration, tokenizer, model card."""
    torch, transformers = need("torch"), need("transformers")
    folder.mkdir(parents=True)
    tokenizer = _tokenizer(chat=chat)
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        bos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        initializer_range=0.25,  # else all scores are nearly the same, and all mistakes small
    )
    transformers.Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(
        "---\nlicense: other\nlicense_name: made-up\n---\n# Tiny\n", encoding="utf-8"
    )


def exported(factory: pytest.TempPathFactory, dtype: Dtype = "fp32", *, cut: bool = True) -> Path:
    """Return an export of the tiny model, made once by whichever process comes first.

    Args:
        factory: Of the test run.
        dtype: See `export`.
        cut: Whether the graph has the input `logits_index`.
    """
    folder = shared(factory)
    source, out = folder / "tiny", folder / f"tiny-{dtype}{'' if cut else '-whole'}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not source.exists():
            partial = folder / f"making-{os.getpid()}"
            make(partial)
            partial.rename(source)
        if not out.exists():
            export(str(source), out, dtype=dtype, cut_logits=cut)
    return out


def logits(factory: pytest.TempPathFactory, tokens: list[int]) -> Any:
    """Return torch's scores after some tokens."""
    torch, transformers = need("torch"), need("transformers")
    model = transformers.Qwen2ForCausalLM.from_pretrained(shared(factory) / "tiny").eval()
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0, -1].numpy()


def _tokenizer(*, chat: bool) -> Any:
    """Train a byte-level tokenizer on what it will read most."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    turns = [Turn("user", "Fix the bug in my code"), Turn("assistant", "Here is the answer.")]
    texts = [template.prompt(turns, ROUTES).text for template in TEMPLATES.values()]
    texts += [json.dumps({"route": route.name}) for route in ROUTES]
    tokenizer.train_from_iterator(texts * 20, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    fast = need("transformers").PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    if chat:
        fast.chat_template = CHAT
    return fast
