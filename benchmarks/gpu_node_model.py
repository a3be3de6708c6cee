"""Writes a Llama with random weights, of a real size or a tiny one: for `gpu_node.sh`.

    python benchmarks/gpu_node_model.py DIRECTORY [--shape 8b|tiny] [--weights]

Without --weights a configuration and a tokenizer only, for vLLM's `--load-format dummy`; with them also the
weights in bf16, made by torch and transformers, which `transformers serve` needs (16 GB for 8b).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts" / "real_server"))

from serve_vllm import write_model

SHAPES: dict[str, dict[str, Any]] = {
    "8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 128256,
        "max_position_embeddings": 8192,
        "rope_theta": 500000.0,
        "torch_dtype": "bfloat16",
    },
    "tiny": {"torch_dtype": "bfloat16"},
}
"""8b is that of Llama 3 8B: 8.03 billion parameters."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--shape", choices=tuple(SHAPES), default="8b")
    parser.add_argument("--weights", action="store_true")
    options = parser.parse_args()
    write_model(options.directory, SHAPES[options.shape])
    if options.weights:
        write_weights(options.directory)


def write_weights(directory: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        config = AutoConfig.from_pretrained(directory)
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(directory)


if __name__ == "__main__":
    main()
