"""Loads a merged folder with Transformers and compares every weight with that of another folder, bit by bit.

    pip install torch transformers==5.23.0
    python tests/exports/check_merged.py FOLDER FOLDER_WITH_THE_SAME_WEIGHTS

`cargo test --test merged` leaves such a folder: target/tmp/merged, with the weights of tests/fixtures/bert.
"""
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification


def weights(folder):
    classifies = "SequenceClassification" in AutoConfig.from_pretrained(folder).architectures[0]
    kind = AutoModelForSequenceClassification if classifies else AutoModelForCausalLM
    model, info = kind.from_pretrained(folder, output_loading_info=True)
    wrong = {key: value for key, value in info.items() if value}
    if wrong:
        sys.exit(f"{folder}: {wrong}")
    return model.state_dict()


def main(folder, other):
    found, expected = weights(folder), weights(other)
    same = found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in found)
    print(f"{len(found)} weights, {'all the same' if same else 'DIFFERENT'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
