"""The network: one MiniLM encoder for conversations and routes, and a small head.

A conversation is `[CLS] last turn [SEP] earlier turns, newest first [SEP]`, a route is
`[CLS] name: description [SEP]`. The score of a route is the cosine of their pooled vectors, plus
how well each word of the route is met by some word of the conversation (late interaction, as in
ColBERT). `other` is scored from the conversation's vector alone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from plano_builtin_filters.classify.routers.embedded import (
    EARLIER_TOKENS,
    LAST_TOKENS,
    ROUTE_TOKENS,
    TURN_TOKENS,
    route_text,
)


class Network(nn.Module):
    """Encoder and head.

    Args:
        path: A directory of transformers with a BERT encoder and its tokenizer.
        late: Whether words are compared, too.
    """

    def __init__(self, path: str | Path, *, late: bool = True) -> None:
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.encoder = AutoModel.from_pretrained(path, attn_implementation="eager")
        width = self.encoder.config.hidden_size
        self.late = late
        self.earlier = nn.Parameter(torch.tensor(0.35))
        """Weight of the earlier turns in the pooled vector, against 1 for the last."""
        self.null = nn.Parameter(torch.zeros(width))
        self.threshold = nn.Parameter(torch.tensor(0.30))
        self.scale = nn.Parameter(torch.tensor(20.0))
        self.meeting = nn.Parameter(torch.tensor(0.4 if late else 0.0), requires_grad=late)

    def ids(self, text: str, limit: int) -> list[int]:
        """Return token ids; of a long text the head (3/5) and the tail."""
        found = self.tokenizer.encode(text[: 40 * limit], add_special_tokens=False)
        if len(found) > limit:
            head = limit * 3 // 5
            found = found[:head] + found[head - limit :]
        return found

    def conversation(self, last: str, earlier: list[str]) -> tuple[list[int], list[int]]:
        """Return token ids and segment ids (0 last turn, 1 earlier)."""
        tok = self.tokenizer
        first = [tok.cls_token_id, *self.ids(last, LAST_TOKENS), tok.sep_token_id]
        second: list[int] = []
        for text in earlier:
            second += [*self.ids(text, TURN_TOKENS), tok.sep_token_id]
        second = second[:EARLIER_TOKENS]
        return first + second, [0] * len(first) + [1] * len(second)

    def encode(self, rows: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor, Tensor]:
        """Return pooled vectors [B, H], word vectors [B, T, H] (unit length), their mask [B, T]."""
        longest = max(len(ids) for ids, _ in rows)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([r + [pad] * (longest - len(r)) for r, _ in rows])
        kinds = torch.tensor([s + [0] * (longest - len(s)) for _, s in rows])
        mask = torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r, _ in rows])
        words = self.encoder(
            input_ids=ids, attention_mask=mask, token_type_ids=kinds
        ).last_hidden_state
        weight = mask * torch.where(kinds == 1, self.earlier, 1.0)
        pooled = torch.einsum("bth,bt->bh", words, weight.to(words.dtype)).float()
        unit = nn.functional.normalize(words, dim=-1)
        return nn.functional.normalize(pooled, dim=-1), unit, mask

    def routes(self, texts: list[tuple[str, str]]) -> tuple[Tensor, Tensor, Tensor]:
        """Encode routes."""
        tok = self.tokenizer
        rows = []
        for name, description in texts:
            ids = self.ids(route_text(name, description), ROUTE_TOKENS)
            ids = [tok.cls_token_id, *ids, tok.sep_token_id]
            rows.append((ids, [0] * len(ids)))
        order = sorted(range(len(rows)), key=lambda index: len(rows[index][0]))
        half = len(order) // 2 or 1  # like lengths together: less padding
        parts = [
            self.encode([rows[i] for i in part]) for part in (order[:half], order[half:]) if part
        ]
        longest = max(part[2].shape[1] for part in parts)
        back = torch.argsort(torch.tensor(order))
        vectors = torch.cat([part[0] for part in parts])[back]
        words = torch.cat([_padded(part[1], longest) for part in parts])[back]
        return vectors, words, torch.cat([_padded(part[2], longest) for part in parts])[back]

    def scores(
        self, asked: tuple[Tensor, Tensor, Tensor], routes: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return logits of all routes [B, R] and of `other` [B]."""
        vectors, words, mask = asked
        names, parts, shown = routes
        cosine = vectors @ names.T
        if self.late:
            (asked_, length, width), (count, size, _) = words.shape, parts.shape
            flat = (words.reshape(-1, width) @ parts.reshape(-1, width).T).float()
            flat = flat.view(asked_, length, count * size) - 2.0 * (1 - mask)[..., None]
            best = flat.amax(1).view(asked_, count, size) * shown[None]
            met = best.sum(-1) / shown.sum(-1)[None]
            cosine = cosine + self.meeting * met
        none = vectors @ self.null + self.threshold + (self.meeting * 0.5 if self.late else 0.0)
        return self.scale * cosine, self.scale * none


def _padded(rows: Tensor, length: int) -> Tensor:
    """Pad the second dimension with zeros."""
    missing = length - rows.shape[1]
    return nn.functional.pad(rows, (0, 0, 0, missing) if rows.dim() == 3 else (0, missing))
