"""Loads exports of language models with PEFT and Transformers, and compares tokens and logits with webtune's own.

    pip install torch transformers==5.23.0 peft==0.21.2
    python tests/exports/check_language.py FOLDER ...

`cargo test --test folders` leaves such folders in target/tmp/exports/language: base/, the model that was tuned; adapter/, PEFT's files;
merged/, the whole model; logits.json, a text, its tokens and the logits after the last of them. Ends with code 1 where a logit differs by
more than 1e-4 of the largest: float32 in another order of sums.
"""
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from peft import PeftModel

TOLERANCE = 1e-4


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def ways(folder):
    """Name -> (model, folder of its tokenizer)."""
    base, adapter, merged = (os.path.join(folder, name) for name in ("base", "adapter", "merged"))
    if os.path.exists(adapter):
        yield "PEFT", PeftModel.from_pretrained(load(base), adapter), adapter
    if os.path.exists(merged):
        yield "Transformers", load(merged), merged


def main(*folders):
    right = len(folders) > 0
    for folder in folders:
        with open(os.path.join(folder, "logits.json")) as file:
            given = json.load(file)
        expected = torch.tensor(given["logits"])
        for name, model, tokens in ways(folder):
            ids = AutoTokenizer.from_pretrained(tokens)(given["text"])["input_ids"]
            with torch.no_grad():
                found = model.eval()(input_ids=torch.tensor([given["ids"]])).logits[0, -1]
            error = ((found - expected).abs().max() / expected.abs().max()).item()
            same = ids == given["ids"]
            print(
                f"{os.path.basename(folder)}, {name}: largest difference {error:.1e} of the largest logit, "
                f"{'the same' if same else 'OTHER'} tokens"
            )
            right = right and same and error <= TOLERANCE  # false for a NaN too
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
