"""Loads exports of classifiers with the libraries that they are meant for, and compares logits with webtune's own.

    pip install torch transformers==5.23.0 peft sentence-transformers
    npm run finetune -- --test test.jsonl --out out
    python tests/exports/check.py [--base FOLDER_OF_THE_BASE_MODEL] out ...

`npm test` does so with the folders that `cargo test --test folders` leaves in target/tmp/exports/classifiers. An AdapterHub folder (method
`houlsby`) needs an environment of its own, because `adapters` asks for an older transformers:

    pip install torch adapters

transformers 5.24 renamed an argument that PEFT 0.21.2 looks for: prefix tuning of a classifier fails there.

Prints, for every way of loading, the largest difference over the largest logit and ends with code 1 where it is above 1e-4: float32 in
another order of sums.
"""
import argparse
import json
import os
import re
import shutil
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

TOLERANCE = 1e-4
ROWS = 64


class Export:
    """One folder, the base model that it belongs to, and the texts that are compared."""

    def __init__(self, out, base):
        self.folder = os.path.join(out, "adapter")
        settings = self.json("labels.json")
        self.method, self.head, self.labels = settings["method"], settings["head"], settings["labels"]
        with open(os.path.join(out, "metrics.json")) as file:
            self.base = base or json.load(file)["run"]["model"]
        with open(os.path.join(out, "predictions.jsonl")) as file:
            rows = [json.loads(line) for line in file][:ROWS]
        self.texts = [row["text"] for row in rows]
        self.expected = torch.tensor([row["logits"] for row in rows])
        # The folder of `full` is a whole model and has a tokenizer of its own.
        source = self.folder if self.method == "full" else self.base
        tokenizer = AutoTokenizer.from_pretrained(source)
        self.sizes = {"num_labels": len(self.labels)}
        with open(self.path("README.md")) as file:
            pad = re.search(r"pad_token_id=(\d+)", file.read())
        if pad:  # a decoder's, which transformers needs to find a text's last token
            self.sizes["pad_token_id"] = int(pad[1])
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(int(pad[1]))
        if tokenizer.pad_token is None:  # a decoder's below a mean head, which counts no padding
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)
        self.tokens = tokenizer(
            self.texts,
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=settings["maxLength"],
            return_tensors="pt",
        )

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def json(self, *names):
        with open(self.path(*names)) as file:
            return json.load(file)

    def classifier(self, source):
        return AutoModelForSequenceClassification.from_pretrained(source, **self.sizes)

    def logits(self, model):
        """Of a model with a `cls` head."""
        return model.eval()(**self.tokens).logits

    def pooled(self, model):
        """Features of a `mean` head: the mean over a text's tokens, of length one."""
        # [rows, tokens, 1]
        mask = self.tokens["attention_mask"][..., None].float()
        mean = (model.eval()(**self.tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)

    def dense(self, features):
        head = load_file(self.path("3_Dense", "model.safetensors"))
        return features @ head["linear.weight"].T + head["linear.bias"]


def peft(export):
    """lora and prefix: an adapter on the base model."""
    from peft import PeftModel

    if export.head == "cls":
        return {"PEFT": export.logits(PeftModel.from_pretrained(export.classifier(export.base), export.folder))}
    model = PeftModel.from_pretrained(AutoModel.from_pretrained(export.base), export.folder)
    found = {"PEFT": export.dense(export.pooled(model))}
    if export.method == "lora":  # Sentence-Transformers applies no prefix
        found["Sentence-Transformers"] = sentence_transformers(export, rebase=True)
    return found


def full(export):
    """A whole model."""
    if export.head == "cls":
        return {"Transformers": export.logits(export.classifier(export.folder))}
    return {
        "Transformers": export.dense(export.pooled(AutoModel.from_pretrained(export.folder))),
        "Sentence-Transformers": sentence_transformers(export),
    }


def houlsby(export):
    """Bottlenecks, and a head next to them."""
    import adapters

    model = export.classifier(export.base) if export.head == "cls" else AutoModel.from_pretrained(export.base)
    adapters.init(model)
    model.load_adapter(export.folder, use_safetensors=True, set_active=True)
    return {"AdapterHub": export.logits(model) if export.head == "cls" else export.dense(export.pooled(model))}


def probe(export):
    """A head on the base model's own features."""
    head = load_file(export.path("head.safetensors"))
    if "weight" not in head:  # the head of a family that has a hidden layer in it, by that family's names
        model = export.classifier(export.base)
        unknown = model.load_state_dict(head, strict=False).unexpected_keys
        assert not unknown, unknown
        return {"head": export.logits(model)}
    model = AutoModel.from_pretrained(export.base).eval()
    features = export.pooled(model) if export.head == "mean" else model(**export.tokens).pooler_output
    return {"head": features @ head["weight"].T + head["bias"]}


def sentence_transformers(export, rebase=False):
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(export.folder, os.path.join(folder, "adapter"))
        if rebase:
            # a base model in a local folder needs its path in the settings
            settings = export.json("adapter_config.json") | {"base_model_name_or_path": export.base}
            with open(os.path.join(copy, "adapter_config.json"), "w") as file:
                json.dump(settings, file)
        return torch.tensor(SentenceTransformer(copy, device="cpu").encode(export.texts))


METHODS = {"lora": peft, "prefix": peft, "full": full, "houlsby": houlsby, "probe": probe}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="folder of the base model, where it is not the one in metrics.json")
    parser.add_argument("out", nargs="+", help="what `npm run finetune` wrote")
    args = parser.parse_args()
    right = True
    for out in args.out:
        export = Export(out, args.base)
        with torch.no_grad():
            found = METHODS[export.method](export)
        for name, logits in found.items():
            error = ((logits - export.expected).abs().max() / export.expected.abs().max()).item()
            print(
                f"{os.path.basename(os.path.normpath(out))}: {export.method}, {export.head} head, {name}: largest difference {error:.1e} "
                f"of the largest logit, over {len(export.texts)} texts"
            )
            right = right and error <= TOLERANCE  # false for a NaN too
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
