"""Writes a Llama of random weights as a GGUF file: real work for a real server, and nothing to download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import vocabulary


@dataclass(frozen=True)
class Shape:
    """The size of the model sets the pace of the server: one thread, one request, milliseconds a token."""

    hidden: int
    layers: int
    vocabulary: int = 4096
    heads: int = 4
    key_value_heads: int = 2
    context: int = 4096

    @property
    def feed_forward(self) -> int:
        return 2 * self.hidden

    @property
    def key_value(self) -> int:
        return self.hidden // self.heads * self.key_value_heads


SHAPES = {
    "tiny": Shape(hidden=128, layers=2),
    "small": Shape(hidden=384, layers=6),
    "medium": Shape(hidden=768, layers=8),
}


def write(path: Path, shape: Shape) -> None:
    """Writes the model beside `path` and renames it: a file at `path` is always whole."""
    words = vocabulary.build(shape.vocabulary)
    partial = path.with_suffix(".partial")
    writer = gguf.GGUFWriter(str(partial), "llama")
    writer.add_name("random-llama")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_value_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.hidden // shape.heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words.tokens)
    control = len(vocabulary.CONTROL)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if i < control else gguf.TokenType.NORMAL for i in range(len(words.tokens))]
    )
    writer.add_token_merges([f"{left} {right}" for left, right in words.merges])
    writer.add_bos_token_id(vocabulary.BOS)
    writer.add_eos_token_id(vocabulary.EOS)
    writer.add_add_bos_token(False)
    writer.add_chat_template(vocabulary.CHAT_TEMPLATE)
    for name, weights in tensors(shape):
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(path)


def tensors(shape: Shape) -> list[tuple[str, np.ndarray]]:
    """Every weight of the model by its name in llama.cpp, float32, the same on each call."""
    random = np.random.default_rng(0)
    hidden, wide = shape.hidden, shape.feed_forward

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.02)

    ones = np.ones(hidden, np.float32)
    named = [
        ("token_embd.weight", matrix(shape.vocabulary, hidden)),
        ("output_norm.weight", ones),
        ("output.weight", matrix(shape.vocabulary, hidden)),
    ]
    for layer in range(shape.layers):
        named += [
            (f"blk.{layer}.{part}.weight", weights)
            for part, weights in (
                ("attn_norm", ones),
                ("attn_q", matrix(hidden, hidden)),
                ("attn_k", matrix(shape.key_value, hidden)),
                ("attn_v", matrix(shape.key_value, hidden)),
                ("attn_output", matrix(hidden, hidden)),
                ("ffn_norm", ones),
                ("ffn_gate", matrix(wide, hidden)),
                ("ffn_up", matrix(wide, hidden)),
                ("ffn_down", matrix(hidden, wide)),
            )
        ]
    return named
