"""Carries a run on from the adapter in this folder, on as many GPUs as there are.

    pip install -r requirements.txt
    accelerate launch continue.py --train data.jsonl

continue.json holds the settings. Rows are chats ({"messages": [...]} or ShareGPT's {"conversations": [...]}), Alpaca rows
({"instruction", "input", "output"}), {"prompt", "completion"} or {"text"}, as JSON Lines or one JSON array; or a plain .txt file.
The adapter leaves in PEFT's format, in the folder of --out. Where rows do not divide among the processes, the first ones are seen twice.
"""
import argparse
import json
import math
import os
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from peft import PeftModel
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer, get_scheduler

HERE = os.path.dirname(os.path.abspath(__file__))
IGNORED = -100  # label of a token that is not predicted
ROLES = {"human": "user", "gpt": "assistant"}
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def read_rows(path):
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    if path.endswith(".txt"):
        return [{"text": text}]
    if text.lstrip().startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def as_messages(row):
    """A row's chat, or None where it is no chat."""
    if "messages" in row:
        return row["messages"]
    if "conversations" in row:
        return [{"role": ROLES.get(m["from"], m["from"]), "content": m["value"]} for m in row["conversations"]]
    if "instruction" in row:
        user = "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
        return [{"role": "user", "content": user}, {"role": "assistant", "content": row["output"]}]
    if isinstance(row.get("prompt"), list):
        return row["prompt"] + row["completion"]
    return None


def assistant_spans(tokenizer, messages, text, tools):
    """Where the assistant's turns lie in the rendered text: content and end-of-turn token, without header and line break."""
    spans = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = ""
        if i > 0:
            before = tokenizer.apply_chat_template(messages[:i], tools=tools, tokenize=False, add_generation_prompt=True)
        until = tokenizer.apply_chat_template(messages[: i + 1], tools=tools, tokenize=False).rstrip()
        if not (text.startswith(before) and text.startswith(until) and len(before) < len(until)):
            raise ValueError(f"the chat template changes earlier turns: no place is found for turn {i + 1}")
        spans.append((len(before), len(until)))
    if not spans:
        raise ValueError("the chat has no assistant turn")
    return spans


def encode_chat(tokenizer, messages, tools, assistant_only):
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
    spans = assistant_spans(tokenizer, messages, text, tools) if assistant_only else [(0, len(text))]
    # the template writes the special tokens
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    targets = [any(a < end and start < b for a, b in spans) for start, end in found["offset_mapping"]]
    return found["input_ids"], targets


def encode_text(tokenizer, prompt, completion):
    """Special tokens at the start, `eos` at the end; a token that reaches into the completion belongs to it."""
    found = tokenizer(prompt + completion, return_offsets_mapping=True)
    ids, offsets = found["input_ids"], found["offset_mapping"]
    targets = [end > len(prompt) for _, end in offsets]
    eos = tokenizer.eos_token_id
    if eos is None:
        return ids, targets
    if ids and ids[-1] == eos and offsets[-1][0] == offsets[-1][1]:
        ids, targets = ids[:-1], targets[:-1]
    return ids + [eos], targets + [True]


def shorten(tokenizer, ids, targets, limit):
    """Cuts the oldest tokens, but no `bos` and nothing of the last answer."""
    if len(ids) <= limit:
        return ids, targets
    head = 1 if ids[0] == tokenizer.bos_token_id and not targets[0] else 0
    last = len(targets) - 1 - targets[::-1].index(True)
    first = last
    while first > 0 and targets[first - 1]:
        first -= 1
    kept = limit - head
    if len(ids) - first > kept:
        raise ValueError(f"its last answer has {len(ids) - first} tokens, more than fit in max_length {limit}")
    return ids[:head] + ids[-kept:], targets[:head] + targets[-kept:]


def encode_row(row, tokenizer, config):
    """Pairs of ids and flags; a flag says that the token counts in the loss."""
    limit = config["max_length"]
    messages = as_messages(row)
    if messages is not None:
        return [shorten(tokenizer, *encode_chat(tokenizer, messages, row.get("tools"), config["assistant_only_loss"]), limit)]
    if "prompt" in row:
        return [shorten(tokenizer, *encode_text(tokenizer, row["prompt"], row["completion"]), limit)]
    if "text" not in row:
        raise ValueError(f"expected messages, conversations, instruction, prompt or text, got {', '.join(row)}")
    ids, _ = encode_text(tokenizer, "", row["text"])
    blocks = [ids[i : i + limit] for i in range(0, len(ids), limit)]
    return [(block, [True] * len(block)) for block in blocks]


def encode(path, tokenizer, config):
    sequences = []
    for number, row in enumerate(read_rows(path), 1):
        try:
            sequences += encode_row(row, tokenizer, config)
        except (KeyError, ValueError) as error:
            raise SystemExit(f"{path}, row {number}: {error}") from error
    # nothing comes before the first token, so it is not predicted
    return [[(ids, [False] + targets[1:])] for ids, targets in sequences if any(targets[1:])]


def pack(sequences, limit):
    """Longest first, each into the first bin with room."""
    bins, room = [], []
    for sequence in sorted(sequences, key=lambda s: -len(s[0][0])):
        length = len(sequence[0][0])
        place = next((i for i, free in enumerate(room) if free >= length), len(bins))
        if place == len(bins):
            bins.append([])
            room.append(limit)
        bins[place] += sequence
        room[place] -= length
    return bins


def collate(packs, pad):
    """[rows, longest] each. Without a mask, transformers keeps apart what its positions show to be several sequences."""
    width = max(sum(len(ids) for ids, _ in parts) for parts in packs)
    rows = {"input_ids": [], "labels": [], "position_ids": []}
    for parts in packs:
        ids = [token for ids, _ in parts for token in ids]
        labels = [token if hit else IGNORED for ids, hits in parts for token, hit in zip(ids, hits)]
        positions = [i for ids, _ in parts for i in range(len(ids))]
        rest = width - len(ids)
        rows["input_ids"].append(ids + [pad] * rest)
        rows["labels"].append(labels + [IGNORED] * rest)
        rows["position_ids"].append(positions + [0] * rest)  # padding: sequences of one token
    return {name: torch.tensor(values) for name, values in rows.items()}


def loss_sum(model, batch):
    labels = batch["labels"][:, 1:]  # [rows, tokens - 1]
    logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    logits = logits[:, :-1].float()  # [rows, tokens - 1, vocabulary]
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")


def parameter_groups(model, weight_decay):
    """Biases and norms are not decayed."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    undecayed = {name for name, _ in trained if name.endswith("bias") or "norm" in name or ".ln_" in name}
    return [
        {"params": [p for name, p in trained if name not in undecayed], "weight_decay": weight_decay},
        {"params": [p for name, p in trained if name in undecayed], "weight_decay": 0.0},
    ]


def chunks(loader, size):
    group = []
    for batch in loader:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def update(accelerator, model, optimizer, group, max_grad_norm):
    """One update from the batches of a group; its mean loss over the target tokens of all processes."""
    count = sum((batch["labels"][:, 1:] != IGNORED).sum() for batch in group)
    count = accelerator.reduce(count, "sum")
    total = torch.zeros((), device=accelerator.device)
    for i, batch in enumerate(group):
        with accelerator.no_sync(model) if i + 1 < len(group) else nullcontext():
            loss = loss_sum(model, batch)
            # processes' gradients are averaged, so that their sum needs the factor
            accelerator.backward(loss * accelerator.num_processes / count)
        total += loss.detach()
    if max_grad_norm > 0:
        accelerator.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    return (accelerator.reduce(total, "sum") / count).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True, help="the rows")
    parser.add_argument("--base", help="the base model, where it is not the one of continue.json")
    parser.add_argument("--out", default=os.path.join(HERE, "continued"), help="folder of the adapter")
    parser.add_argument("--cpu", action="store_true", help="leave GPUs alone")
    parser.add_argument("--max-steps", type=int, help="stop earlier")
    args = parser.parse_args()
    with open(os.path.join(HERE, "continue.json"), encoding="utf-8") as file:
        config = json.load(file)
    accelerator = Accelerator(cpu=args.cpu)
    set_seed(config["seed"])

    adapter = os.path.join(HERE, config["adapter"])
    base = args.base or config["base_model"]
    own = os.path.exists(os.path.join(adapter, "tokenizer.json"))
    tokenizer = AutoTokenizer.from_pretrained(adapter if own else base)
    tokenizer.chat_template = tokenizer.chat_template or CHATML
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter, is_trainable=True)

    rows = encode(args.train, tokenizer, config)
    if config["packing"]:
        rows = pack(rows, config["max_length"])
    if not rows:
        raise SystemExit(f"{args.train}: it has no token to learn")
    pad = next((token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None), 0)
    loader = DataLoader(
        rows,
        batch_size=config["per_device_train_batch_size"],
        shuffle=True,
        generator=torch.Generator().manual_seed(config["seed"]),
        collate_fn=lambda packs: collate(packs, pad),
    )
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config["weight_decay"]),
        lr=config["learning_rate"],
        betas=(config["adam_beta1"], config["adam_beta2"]),
        eps=config["adam_epsilon"],
    )
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    per_epoch = math.ceil(len(loader) / config["gradient_accumulation_steps"])
    total = math.ceil(per_epoch * config["num_train_epochs"])
    warmup = math.ceil(total * config["warmup_ratio"])
    # not prepared: it counts updates, whatever the number of processes
    schedule = get_scheduler(config["lr_scheduler_type"], optimizer, num_warmup_steps=warmup, num_training_steps=total)

    last = min(total, args.max_steps or total)
    step, epoch = 0, 0
    model.train()
    while step < last:
        loader.set_epoch(epoch)
        for group in chunks(loader, config["gradient_accumulation_steps"]):
            rate = schedule.get_last_lr()[0]
            loss = update(accelerator, model, optimizer, group, config["max_grad_norm"])
            schedule.step()
            step += 1
            event = {"step": step, "of": total, "loss": round(loss, 6), "learning_rate": rate}
            accelerator.print(json.dumps(event | {"processes": accelerator.num_processes}))
            if step == last:
                break
        epoch += 1
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        accelerator.unwrap_model(model).save_pretrained(args.out)
        tokenizer.save_pretrained(args.out)
        print(f"saved {args.out}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
