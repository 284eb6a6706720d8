"""Turn trained weights into the model directory the gateway ships: see `--help`.

The graph is the encoder alone, quantised to int8 (dynamic, per channel): its inputs are short and
each is read whole, so what makes that quantisation wrong for causal models does not arise.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from network import Network
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from plano_builtin_filters.classify.routers import manifest
from plano_builtin_filters.classify.routers.embedded import EmbeddedModel
from plano_builtin_filters.classify.routers.protocol import Question, RouteOption, Turn

SAMPLES = (
    "my build fails with exit code 137", "write a limerick about rain", "thanks!",
    "what is 17% of 2,340, and then divided by the number of days in a leap year?",
)  # fmt: skip
ROUTES = (
    ("code_help", "debugging and fixing programs"), ("creative writing", "poems and stories"),
    ("math", "arithmetic, algebra and word problems"),
)  # fmt: skip


class Encoder(nn.Module):
    """The encoder with named arguments in a fixed order."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Return the last hidden state, [B, T, H]."""
        return self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state


def main() -> None:
    """Write the directory and compare it with the network."""
    options = parse()
    network = Network(options.base, late=not options.no_late)
    if options.weights:
        network.load_state_dict(torch.load(options.weights, weights_only=True))
    network.eval()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder) / "model.onnx"
        export(network, exact)
        if options.fp32:
            shutil.copy(exact, options.out / manifest.GRAPH)
        else:
            quantize_dynamic(
                exact,
                options.out / manifest.GRAPH,
                weight_type=QuantType.QInt8,
                per_channel=True,
                extra_options={"MatMulConstBOnly": True},
            )
    network.tokenizer.backend_tokenizer.no_truncation()
    network.tokenizer.backend_tokenizer.no_padding()
    network.tokenizer.backend_tokenizer.save(str(options.out / "tokenizer.json"))
    head = {
        "earlier": network.earlier.item(), "meeting": network.meeting.item(),
        "scale": network.scale.item(), "threshold": network.threshold.item(),
        "null": [round(value, 6) for value in network.null.tolist()],
    }  # fmt: skip
    (options.out / "head.json").write_text(json.dumps(head), encoding="utf-8")
    described = manifest.Manifest(
        kind="encoder", name=options.name, licence="Apache-2.0",
        dtype="fp32" if options.fp32 else "int8",
        source="sentence-transformers/all-MiniLM-L6-v2, fine-tuned by tools/train_router",
        settings={"trained_on": options.trained_on, "other_offset": 0.0},
    )  # fmt: skip
    files = [manifest.GRAPH, "tokenizer.json", "head.json"]
    if (options.out / "MODEL_CARD.md").exists():
        files.append("MODEL_CARD.md")
    manifest.write(options.out, described, files)
    print("largest difference of a logit:", difference(network, options.out))


def export(network: Network, path: Path) -> None:
    """Write the encoder as ONNX, batch and length free."""
    example = {
        name: torch.ones(2, 7, dtype=torch.long)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    axes = {name: {0: "batch", 1: "length"} for name in (*example, "last_hidden_state")}
    torch.onnx.export(
        Encoder(network), tuple(example.values()), str(path), input_names=list(example),
        output_names=["last_hidden_state"], dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    onnx.checker.check_model(str(path))


@torch.no_grad()
def difference(network: Network, directory: Path) -> float:
    """Compare the logits of network and exported model on some samples."""
    model = EmbeddedModel(directory)
    model.load()
    routes = tuple(RouteOption(name, text) for name, text in ROUTES)
    earlier = Turn("assistant", "Here it is, as short as I could make it.")
    worst = 0.0
    for text in SAMPLES:
        for turns in ((Turn("user", text),), (Turn("user", "Hello"), earlier, Turn("user", text))):
            (found,) = model.logits([Question(turns, routes)])
            before = [turn.text for turn in reversed(turns[:-1])]
            asked = network.encode([network.conversation(text, before)])
            logits, none = network.scores(asked, network.routes(list(ROUTES)))
            wanted = np.append(logits[0].numpy(), none.item())
            worst = max(worst, float(np.abs(np.asarray(found) - wanted).max()))
    return worst


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="directory of the pre-trained encoder")
    parser.add_argument("--weights", type=Path, help="router.pt of train.py; none: zero-shot")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="plano-filters/minilm-router")
    parser.add_argument("--trained-on", nargs="*", default=["clinc150", "clinc150-drift"])
    parser.add_argument("--fp32", action="store_true")
    parser.add_argument("--no-late", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
