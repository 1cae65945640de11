"""Loads a merged classifier of several labels a text with Transformers and compares every answer of its pipeline with those beside it.

    pip install torch transformers==5.23.0
    python tests/exports/check_several.py FOLDER

`cargo test --test several_labels leave` leaves such a folder, target/tmp/exports/several-labels, with answers.json of what the crate
answers.
"""
import json
import os
import sys

from transformers import AutoConfig, AutoTokenizer, pipeline

# float32 sums in another order, through two layers and a sigmoid
TOLERANCE = 1e-5


def main(folder):
    problem = AutoConfig.from_pretrained(folder).problem_type
    if problem != "multi_label_classification":
        sys.exit(f"{folder}: problem_type is {problem}")
    with open(os.path.join(folder, "labels.json"), encoding="utf-8") as file:
        labels = json.load(file)
    with open(os.path.join(folder, "answers.json"), encoding="utf-8") as file:
        answers = json.load(file)
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=labels["maxLength"])
    # by problem_type alone it knows that each label has a sigmoid of its own
    classify = pipeline("text-classification", folder, tokenizer=tokenizer, top_k=None)
    largest = 0.0
    for answer in answers:
        found = {one["label"]: one["score"] for one in classify([answer["text"]])[0]}
        for label, expected in zip(labels["labels"], answer["probabilities"]):
            largest = max(largest, abs(found[label] - expected))
        given = [label for label, threshold in zip(labels["labels"], labels["thresholds"]) if found[label] > threshold]
        if given != answer["labels"]:
            sys.exit(f"{answer['text']}: {given}, expected {answer['labels']}")
    print(f"{len(answers)} texts with the same labels; largest difference of a probability {largest:.1e}")
    return 0 if largest < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
