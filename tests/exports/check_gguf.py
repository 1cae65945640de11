"""Reads a GGUF adapter with the gguf package and compares the deltas with those of PEFT's file.

    pip install gguf==0.19.0 torch transformers==5.23.0 peft==0.21.2 safetensors
    python tests/exports/check_gguf.py adapter.gguf FOLDER_OF_THE_ADAPTER FOLDER_OF_THE_BASE_MODEL

For every module the scaled product of its factors, as llama.cpp multiplies them, must be PEFT's own delta, the rows of Llama's q and k
brought back to Hugging Face's order. Ends with code 1 where one differs by more than 1e-5 of its largest value: float32 products.
"""
import json
import os
import sys

import gguf
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

TOLERANCE = 1e-5


def main(path, adapter, base):
    reader = gguf.GGUFReader(path)
    fields = {key: field.contents() for key, field in reader.fields.items()}
    tensors = {tensor.name: torch.tensor(tensor.data.copy()) for tensor in reader.tensors}
    architecture = fields["general.architecture"]
    assert (fields["general.type"], fields["adapter.type"]) == ("adapter", "lora"), fields
    with open(os.path.join(base, "config.json")) as file:
        config = json.load(file)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    number = next(n for n, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    layers = config.get("num_hidden_layers", config.get("n_layer"))
    names = gguf.get_tensor_name_map(number, layers)
    largest, count = 0.0, 0
    for name, module in model.base_model.model.named_modules():
        if not hasattr(module, "lora_A") or not len(module.lora_A):
            continue
        dest = names.get_name(f"{name}.weight", try_suffixes=(".weight",))
        lora_a, lora_b = tensors.pop(f"{dest}.lora_a"), tensors.pop(f"{dest}.lora_b")
        found = (fields["adapter.lora.alpha"] / lora_b.shape[1]) * (lora_b @ lora_a)  # [out, in]
        expected = module.get_delta_weight("default")
        if getattr(module, "fan_in_fan_out", False):
            expected = expected.T  # Conv1D keeps [in, out]
        if architecture == "llama" and name.endswith(("q_proj", "k_proj")):
            heads = config["num_attention_heads" if name.endswith("q_proj") else "num_key_value_heads"]
            expected = expected.reshape(heads, 2, -1, expected.shape[1]).swapaxes(1, 2).reshape(expected.shape)
        error = ((found - expected).abs().max() / expected.abs().max()).item()
        largest, count = max(largest, error), count + 1
    print(f"{architecture}: {count} modules, largest difference {largest:.1e}, tensors left over: {sorted(tensors)}")
    return 0 if count > 0 and largest <= TOLERANCE and not tensors else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
