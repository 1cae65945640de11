"""Runs the continue.py of an export folder for a few steps, and checks that the adapter learns and comes back as PEFT's.

    pip install -r FOLDER/requirements.txt
    python tests/exports/continue_run.py FOLDER [folder of the base model]

Checks that the first loss, over chats, Alpaca rows, prompts and text, is what plain Transformers computes for the same batch row by row,
that the loss falls, that packed rows and two processes make the same updates as single rows, and that PEFT loads what was saved.
"""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

# float32 in another order of sums; the script prints six decimals
TOLERANCE = 1e-4

ROWS = [
    {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"},
                  {"role": "assistant", "content": "Hello, Lily."}, {"role": "user", "content": "Who are you?"},
                  {"role": "assistant", "content": "I am a little cat."}]},
    {"conversations": [{"from": "human", "value": "Where is the ball?"}, {"from": "gpt", "value": "In the park."}]},
    {"instruction": "Say it again.", "input": "The sun is big.", "output": "The sun is big."},
    {"prompt": "Once upon a time", "completion": ", there was a dog named Max."},
    {"prompt": "Tom likes", "completion": " to play with his ball."},
    {"text": "Lily and Ben like to play in the park. They see a big tree. " * 12},
]


def load(folder):
    spec = importlib.util.spec_from_file_location("continued", os.path.join(folder, "continue.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference(script, folder, base, rows, config):
    """Mean loss over all target tokens, one sequence at a time, by the labels that Transformers itself shifts."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = tokenizer.chat_template or script.CHATML
    sequences = script.encode(rows, tokenizer, config)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, os.path.join(folder, config["adapter"])).eval()
    total, count = 0.0, 0
    for [(ids, targets)] in sequences:
        labels = torch.tensor([[i if hit else -100 for i, hit in zip(ids, targets)]])
        hits = int((labels != -100).sum())
        with torch.no_grad():
            total += model(input_ids=torch.tensor([ids]), labels=labels).loss.item() * hits
        count += hits
        shown = tokenizer.decode([i for i, hit in zip(ids, targets) if hit])
        print(f"{hits} of {len(ids)} tokens count: {shown[:60]!r}")
    return total / count, len(sequences)


def run(folder, base, rows, out, steps, processes):
    # on CPUs accelerate's own launcher starts one process, whatever it is asked for
    launcher = ["accelerate.commands.launch", "--cpu"] if processes == 1 else ["torch.distributed.run", f"--nproc-per-node={processes}"]
    command = [sys.executable, "-m", *launcher, os.path.join(folder, "continue.py"), "--cpu", "--train", rows, "--base", base,
               "--out", out, "--max-steps", str(steps)]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(found.stdout + found.stderr)
    events = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
    if any(event["processes"] != processes for event in events):
        sys.exit(f"expected {processes} processes, got {events[0]['processes']}")
    return events


def main(folder, base=None):
    right = True

    def check(what, passed):
        nonlocal right
        print(("ok " if passed else "WRONG ") + what)
        right = right and passed

    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(folder, os.path.join(scratch, "export"))
        rows = os.path.join(scratch, "rows.jsonl")
        with open(rows, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in ROWS)
        path = os.path.join(copy, "continue.json")
        with open(path) as file:
            settings = json.load(file)
        base = base or settings["base_model"]
        settings |= {"max_length": 128, "num_train_epochs": 30, "warmup_ratio": 0.0, "learning_rate": 3e-3, "assistant_only_loss": True}
        script = load(copy)
        expected, count = reference(script, copy, base, rows, settings)
        tokenizer = AutoTokenizer.from_pretrained(base)
        tokenizer.chat_template = tokenizer.chat_template or script.CHATML
        packs = script.pack(script.encode(rows, tokenizer, settings), settings["max_length"])
        check(f"{count} sequences fit {len(packs)} packs", len(packs) < count)
        before = load_file(os.path.join(copy, settings["adapter"], "adapter_model.safetensors"))
        saved = {}
        # all rows in one update: one by one, packed, and in batches of one on two processes
        for name, processes, rest in [("single", 1, {}), ("packed", 1, {"packing": True}), ("two processes", 2, {})]:
            # a row more or less would be seen twice by one of two processes
            if processes == 2 and count % 2 == 1:
                sys.exit(f"{count} sequences do not divide among two processes")
            with open(path, "w") as file:
                sizes = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": count, "packing": False}
                json.dump(settings | sizes | rest, file)
            out = os.path.join(scratch, name)
            events = run(copy, base, rows, out, 10, processes)
            first, last = events[0]["loss"], events[-1]["loss"]
            check(f"{name}: first loss {first}, row by row {expected:.6f}", abs(first - expected) <= TOLERANCE * expected)
            check(f"{name}: loss falls from {first} to {last}", last < first)
            saved[name] = load_file(os.path.join(out, "adapter_model.safetensors"))
            check(f"{name}: the same keys are saved", before.keys() == saved[name].keys())
            check(f"{name}: every factor moved", all((before[key] != saved[name][key]).any() for key in before))
            far = max((saved["single"][key] - saved[name][key]).abs().max().item() for key in before)
            moved = max((saved["single"][key] - before[key]).abs().max().item() for key in before)
            check(f"{name}: after 10 updates at most {far:.1e} from single, which moved {moved:.1e}", far <= 0.01 * moved)
            PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), out)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
