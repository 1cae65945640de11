"""Times the training steps of benches/gpu.mjs and benches/workers.mjs in PyTorch with PEFT, on a graphics card that CUDA knows or on cores.

    python benches/peer.py [--only WORDS]... [--threads 1,2]

Needs torch, transformers and peft. Models are random ones of the same shapes, LoRA has the same rank on the same layers, a step is the
same work: forward, backward, clipping, AdamW and the loss read back. float32 without TF32 is what a browser's shaders compute; TF32 next to
it is what a server would use.
"""

import argparse
import statistics
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

# Seconds of one timing, and timings of which the median counts.
TIMING = 0.4
ROUNDS = 5
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def bert(rows, tokens, **sizes):
    config = BertConfig(num_hidden_layers=6, num_labels=2, **sizes)
    lora = LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"])
    return BertForSequenceClassification(config), lora, rows, tokens


def llama(rows, tokens, **sizes):
    lora = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=PROJECTIONS)
    return LlamaForCausalLM(LlamaConfig(tie_word_embeddings=True, **sizes)), lora, rows, tokens


TINY = dict(vocab_size=1000, hidden_size=32, num_attention_heads=4, intermediate_size=64)
MINILM = dict(vocab_size=30522, hidden_size=384, num_attention_heads=12, intermediate_size=1536)
STORIES = dict(
    vocab_size=512, hidden_size=64, num_hidden_layers=5, num_attention_heads=8, num_key_value_heads=4, intermediate_size=172,
    max_position_embeddings=512,
)
SMOLLM = dict(
    vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, intermediate_size=1536,
    max_position_embeddings=8192,
)
CASES = {
    "tiny, 1 x 8": lambda: bert(1, 8, **TINY),
    "MiniLM, 16 x 64": lambda: bert(16, 64, **MINILM),
    "MiniLM, 64 x 128": lambda: bert(64, 128, **MINILM),
    "stories260K, 8 x 128": lambda: llama(8, 128, **STORIES),
    "stories260K, 64 x 128": lambda: llama(64, 128, **STORIES),
    "SmolLM2-135M, 4 x 256": lambda: llama(4, 256, **SMOLLM),
    "SmolLM2-135M, 16 x 256": lambda: llama(16, 256, **SMOLLM),
}


def milliseconds(case, device):
    torch.manual_seed(1)
    base, lora, rows, tokens = case()
    model = get_peft_model(base, lora).to(device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    ids = (torch.arange(rows * tokens) * 7919 % base.config.vocab_size).view(rows, tokens).to(device)
    labels = ids if lora.task_type == "CAUSAL_LM" else torch.arange(rows).remainder(2).to(device)

    def step():
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    for _ in range(3):
        step()
    begin = time.perf_counter()
    step()
    count = max(1, min(1000, int(TIMING / (time.perf_counter() - begin))))
    each = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(count):
            step()
        each.append((time.perf_counter() - begin) / count)
    return 1000 * statistics.median(each), rows * tokens


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", help="keeps the steps whose names contain the words; may be given several times")
    parser.add_argument("--threads", help="on the CPU, with each of these numbers of threads")
    given = parser.parse_args()
    cases = {name: case for name, case in CASES.items() if any(words in name for words in given.only or [""])}
    if given.threads:
        on_cores(cases, [int(count) for count in given.threads.split(",")])
    else:
        on_a_card(cases)


def on_cores(cases, counts):
    print(f"CPU, torch {torch.__version__}")
    print("| case | threads | float32 ms/step | tokens/s |")
    print("| --- | ---: | ---: | ---: |")
    for name, case in cases.items():
        for count in counts:
            torch.set_num_threads(count)
            plain, tokens = milliseconds(case, "cpu")
            print(f"| {name} | {count} | {plain:.0f} | {1000 * tokens / plain:.0f} |", flush=True)


def on_a_card(cases):
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print("| case | float32 ms/step | tokens/s | TF32 ms/step |")
    print("| --- | --- | --- | --- |")
    for name, case in cases.items():
        found = []
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            found.append(milliseconds(case, "cuda"))
        (plain, tokens), (tf32, _) = found
        print(f"| {name} | {plain:.2f} | {1000 * tokens / plain:.0f} | {tf32:.2f} |", flush=True)


main()
