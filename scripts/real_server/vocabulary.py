"""A byte-level BPE vocabulary that needs no training and no text: the same in every Python.

Every byte is a token, so any text can be encoded. The rest are invented words of consonant-vowel
syllables and all their prefixes, each reached from the one before by one merge. A word begins with a
space, and no merge has a left side without one, so there is one way to apply the merges.
"""

from __future__ import annotations

from dataclasses import dataclass

CONTROL = ("<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>")
BOS, EOS = 0, 1

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

CONSONANTS = "tnsrldmkpbvgfhzjcwxq"
VOWELS = "aeiou"


@dataclass(frozen=True)
class Vocabulary:
    """`tokens[i]` is token `i` in GPT-2's printable spelling; `merges` are in order of rank."""

    tokens: list[str]
    merges: list[tuple[str, str]]


def byte_spelling() -> list[str]:
    """A printable character for each byte, as GPT-2 chose them: itself, or one from 256 upwards."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spelling, beyond = [], 256
    for byte in range(256):
        if byte in plain:
            spelling.append(chr(byte))
        else:
            spelling.append(chr(beyond))
            beyond += 1
    return spelling


def build(size: int) -> Vocabulary:
    """A vocabulary of exactly `size` tokens; at least 300, at most about 200,000."""
    spelling = byte_spelling()
    tokens = [*CONTROL, *spelling]
    merges: list[tuple[str, str]] = []
    level = [spelling[ord(" ")]]
    for letters in (CONSONANTS, VOWELS) * 3:
        longer = []
        for left in level:
            for right in letters:
                if len(tokens) == size:
                    return Vocabulary(tokens, merges)
                merges.append((left, right))
                tokens.append(left + right)
                longer.append(left + right)
        level = longer
    raise ValueError(f"vocabulary: got {size} tokens, at most {len(tokens)} can be made")
