"""Loads an exported adapter with PEFT (and Sentence-Transformers) and compares its logits with webtune's own.

    pip install torch transformers peft sentence-transformers
    npm run finetune -- --test test.jsonl --out out
    python tests/peft/check.py out [folder of the base model]

Not part of `npm test`, because torch is too large to install for every run. Prints the largest difference over the largest logit and
ends with code 1 where it is above 1e-4: float32 in another order of sums.
"""
import json
import os
import shutil
import sys
import tempfile

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

TOLERANCE = 1e-4
ROWS = 64


def main(out, base=None):
    adapter = os.path.join(out, "adapter")
    base = base or PeftConfig.from_pretrained(adapter).base_model_name_or_path
    with open(os.path.join(out, "predictions.jsonl")) as file:
        rows = [json.loads(line) for line in file][:ROWS]
    with open(os.path.join(adapter, "labels.json")) as file:
        settings = json.load(file)
    texts = [row["text"] for row in rows]
    expected = torch.tensor([row["logits"] for row in rows])
    tokens = AutoTokenizer.from_pretrained(base)(
        texts, padding=True, truncation=True, max_length=settings["maxLength"], return_tensors="pt"
    )
    found = {}
    with torch.no_grad():
        if settings["head"] == "cls":
            model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(settings["labels"]))
            found["PEFT"] = PeftModel.from_pretrained(model, adapter).eval()(**tokens).logits
        else:
            model = PeftModel.from_pretrained(AutoModel.from_pretrained(base), adapter).eval()
            mask = tokens["attention_mask"][..., None].float()
            mean = (model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
            head = load_file(os.path.join(adapter, "3_Dense", "model.safetensors"))
            unit = torch.nn.functional.normalize(mean, dim=1)
            found["PEFT"] = unit @ head["linear.weight"].T + head["linear.bias"]
            found["Sentence-Transformers"] = sentence_transformers(adapter, base, texts)
    worst = 0.0
    for name, logits in found.items():
        error = ((logits - expected).abs().max() / expected.abs().max()).item()
        print(f"{name}: largest difference {error:.1e} of the largest logit, over {len(rows)} texts")
        worst = max(worst, error)
    return 0 if worst <= TOLERANCE else 1


def sentence_transformers(adapter, base, texts):
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as folder:
        # a base model in a local folder needs its path in the settings
        copy = shutil.copytree(adapter, os.path.join(folder, "adapter"))
        path = os.path.join(copy, "adapter_config.json")
        with open(path) as file:
            config = json.load(file)
        config["base_model_name_or_path"] = base
        with open(path, "w") as file:
            json.dump(config, file)
        return torch.tensor(SentenceTransformer(copy, device="cpu").encode(texts))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
