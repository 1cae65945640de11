"""Runs ONNX folders of classifiers with onnxruntime, and compares logits with webtune's own.

    pip install onnx onnxruntime transformers
    python tests/exports/check_onnx.py FOLDER ...

Each FOLDER holds predictions.jsonl (texts, token ids, logits) next to fp32 and fp16, the two ONNX folders; `cargo test --test onnx` leaves
some in target/tmp/exports/onnx.

onnx.checker reads every graph and infers its shapes. The tokenizer of the folder itself must give webtune's ids. Logits are compared in one
padded batch, and in batches of one text that nothing pads; the largest difference over the largest logit is printed. It may be

- 1e-5 in float32: the same sums in another order;
- 3e-3 in float16: weights and hidden states have 11 bits (each rounded by up to 4.9e-4 of itself), and every operation rounds again; a
  wrong mask, position or weight is off by 1e-1 and more. Pooling and head are in float32.
"""
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
from transformers import AutoTokenizer

TOLERANCES = {"fp32": 1e-5, "fp16": 3e-3}
FILES = {"fp32": "onnx/model.onnx", "fp16": "onnx/model_fp16.onnx"}


def check_graph(path):
    onnx.checker.check_model(path, full_check=True)
    graph = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True).graph
    batch, labels = graph.output[0].type.tensor_type.shape.dim
    assert graph.output[0].name == "logits" and batch.dim_param == "batch_size" and labels.dim_value, graph.output
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT, graph.output
    return graph


def run(session, rows, padding):
    """Logits of token ids, padded on the right to the longest."""
    width = max(map(len, rows))
    ids = np.array([row + [padding] * (width - len(row)) for row in rows], dtype=np.int64)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], dtype=np.int64)
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    names = [given.name for given in session.get_inputs()]
    return session.run(["logits"], {name: feeds[name] for name in names})[0]


def check(folder, dtype, predictions):
    graph = os.path.join(folder, dtype, FILES[dtype])
    check_graph(graph)
    tokenizer = AutoTokenizer.from_pretrained(os.path.join(folder, dtype))
    ids = [row["ids"] for row in predictions]
    found = tokenizer([row["text"] for row in predictions], truncation=True)["input_ids"]
    assert found == ids, f"{folder}: the tokenizer gives other ids"
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    expected = np.array([row["logits"] for row in predictions])
    padding = tokenizer.pad_token_id
    alone = np.concatenate([run(session, [row], padding) for row in ids])
    together = run(session, ids, padding)
    assert together.dtype == np.float32, together.dtype
    scale = np.abs(expected).max()
    return max(np.abs(logits - expected).max() / scale for logits in (alone, together))


def main(folders):
    right = True
    for folder in folders:
        with open(os.path.join(folder, "predictions.jsonl")) as file:
            predictions = [json.loads(line) for line in file]
        for dtype, tolerance in TOLERANCES.items():
            error = check(folder, dtype, predictions)
            name = os.path.basename(os.path.normpath(folder))
            print(f"{name} {dtype}: largest difference {error:.1e} of the largest logit, over {len(predictions)} texts")
            right = right and error <= tolerance  # false for a NaN too
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
