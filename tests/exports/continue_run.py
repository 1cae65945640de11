"""Runs the continue.py of an export folder for a few steps, and checks that the adapter learns and comes back as PEFT's.

    pip install -r FOLDER/requirements.txt
    python tests/exports/continue_run.py FOLDER [folder of the base model] [processes]

Checks that the first loss, over chats, Alpaca rows, prompts and text, is what plain Transformers computes for the same batch row by row,
that the loss falls, that packed rows give the same sum as single ones, and that PEFT loads what was saved and finds it changed.
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
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", str(processes),
               os.path.join(folder, "continue.py"), "--cpu", "--train", rows, "--base", base, "--out", out, "--max-steps", str(steps)]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(found.stdout + found.stderr)
    return [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]


def main(folder, base=None, processes="1"):
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
        # all rows in one update, in batches of two
        settings |= {"per_device_train_batch_size": 2, "gradient_accumulation_steps": count}
        firsts = {}
        for packing in (False, True):
            with open(path, "w") as file:
                json.dump(settings | {"packing": packing}, file)
            out = os.path.join(scratch, f"continued-{packing}")
            events = run(copy, base, rows, out, 20, processes)
            first, last = events[0]["loss"], events[-1]["loss"]
            firsts[packing] = first
            # several processes see some rows twice, to have batches of one number each
            if processes == "1":
                check(f"packing {packing}: first loss {first}, row by row {expected:.6f}", abs(first - expected) <= TOLERANCE * expected)
            check(f"packing {packing}: loss falls from {first} to {last}", last < first)
            before = load_file(os.path.join(copy, settings["adapter"], "adapter_model.safetensors"))
            after = load_file(os.path.join(out, "adapter_model.safetensors"))
            check("the same keys are saved", before.keys() == after.keys())
            check("every lora_B moved", all((before[key] != after[key]).any() for key in before if "lora_B" in key))
            PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), out)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
