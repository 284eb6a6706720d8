"""Rewriting an exported graph: scores only where they are wanted, weights in fewer bits."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np

WANTED: Final = "logits_index"
"""The added input: which positions, counted through all rows, are scored."""
_PASSED_ON: Final = ("Cast", "Identity", "Add")
"""What may stand between the last multiplication and the output."""


def cut(model: Any) -> None:
    """Let the graph score only the positions that its new input `logits_index` names.

    A prompt of 600 tokens and a vocabulary of 150,000 otherwise make 365 MB of scores, of which
    one row is looked at. The scores then have the shape (positions, vocabulary).

    Raises:
        ValueError: The graph does not end in a multiplication with the vocabulary.
    """
    onnx = import_module("onnx")
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    weights = {weight.name: weight for weight in graph.initializer}
    head = makers["logits"]
    while head.op_type in _PASSED_ON:
        head = makers[head.input[0]]
    if head.op_type != "MatMul":
        raise ValueError(f"the graph ends in {head.op_type}, not in a multiplication")
    weight = head.input[1]
    width = weights[weight].dims[0] if weight in weights else _transposed(makers, weights, weight)
    output = next(entry for entry in graph.output if entry.name == "logits")
    kind = output.type.tensor_type
    vocabulary = kind.shape.dim[-1].dim_value
    shape = np.array([-1, width], dtype=np.int64)
    graph.initializer.append(onnx.numpy_helper.from_array(shape, "cut_shape"))
    graph.input.append(onnx.helper.make_tensor_value_info(WANTED, onnx.TensorProto.INT64, ["k"]))
    flat = onnx.helper.make_node("Reshape", [head.input[0], "cut_shape"], ["cut_flat"])
    rows = onnx.helper.make_node("Gather", ["cut_flat", WANTED], ["cut_rows"], axis=0)
    place = list(graph.node).index(head)
    head.input[0] = "cut_rows"
    graph.node.insert(place, rows)
    graph.node.insert(place, flat)
    output.CopyFrom(
        onnx.helper.make_tensor_value_info("logits", kind.elem_type, ["k", vocabulary or "v"])
    )
    del graph.value_info[:]  # the shapes after the cut are no longer true


def quantise(model: Any, *, bits: int, block: int, accuracy: int) -> Any:
    """Store the weights of multiplications in a few bits, with a scale for each block.

    Args:
        model: The graph, in fp32; used up.
        bits: 8 or 4.
        block: Weights that share a scale.
        accuracy: Of the kernel; see ONNX Runtime's MatMulNBits.
    """
    quantizer = import_module("onnxruntime.quantization.matmul_nbits_quantizer")
    _untie(model)
    config = quantizer.DefaultWeightOnlyQuantConfig(
        block_size=block, is_symmetric=True, accuracy_level=accuracy, bits=bits
    )
    run = quantizer.MatMulNBitsQuantizer(model, algo_config=config)
    run.process()
    return run.model.model


def _transposed(makers: dict[str, Any], weights: dict[str, Any], name: str) -> int:
    """Return the width of a weight that is the transposed embedding of the tokens."""
    maker = makers.get(name)
    if maker is None or maker.op_type != "Transpose" or maker.input[0] not in weights:
        raise ValueError("the weights of the vocabulary cannot be found in the graph")
    return int(weights[maker.input[0]].dims[1])


def _untie(model: Any) -> None:
    """Give the last multiplication weights of its own: only constants can be quantised."""
    onnx = import_module("onnx")
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    weights = {weight.name: weight for weight in graph.initializer}
    for node in list(graph.node):
        maker = makers.get(node.input[1]) if node.op_type == "MatMul" else None
        if maker is None or maker.op_type != "Transpose" or maker.input[0] not in weights:
            continue
        values = onnx.numpy_helper.to_array(weights[maker.input[0]]).T
        name = maker.output[0]
        graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        graph.node.remove(maker)
