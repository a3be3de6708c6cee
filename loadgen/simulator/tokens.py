"""Text whose tokens can be counted by eye: one word separated by white space is one token.

Every id of the vocabulary has a word of its own, made of syllables, so ids to text to ids is exact. A word
that is not in the vocabulary is still one token: its id is a hash, so text from elsewhere counts right but
does not come back. Nothing is downloaded and nothing depends on the machine.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

SPECIALS = ("<|begin|>", "<|end|>", "<|role|>")
"""Ids 0 to 2: what the chat template puts around messages."""
_BEGIN, _END, _ROLE = range(3)
_SYLLABLES = tuple(consonant + vowel for consonant in "bdfghjklmnprstvz" for vowel in "aeiou")
_STRIDE = 7919
"""Steps through the vocabulary from one output token to the next; a prime, so it meets every word."""


def _word(number: int) -> str:
    """Bijective numeration in syllables: 0 is `ba`, 79 is `zu`, 80 is `baba`."""
    syllables = []
    number += 1
    while number > 0:
        number, digit = divmod(number - 1, len(_SYLLABLES))
        syllables.append(_SYLLABLES[digit])
    return "".join(reversed(syllables))


class Vocabulary:
    """`size` token ids, 0 to `size - 1`, each with its word."""

    def __init__(self, size: int) -> None:
        if size <= len(SPECIALS):
            raise ValueError(f"vocabulary: got {size} tokens, need more than {len(SPECIALS)}")
        self.size = size
        self.words: tuple[str, ...] = SPECIALS + tuple(_word(n) for n in range(size - len(SPECIALS)))
        self.word_bytes: tuple[bytes, ...] = tuple(word.encode() for word in self.words)
        """Plain ASCII letters but for the specials: safe inside JSON without escaping."""
        self._ids = {word: token for token, word in enumerate(self.words)}

    def encode(self, text: str) -> list[int]:
        return [self._id(word) for word in text.split()]

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self.words[token] for token in ids)

    def chat(self, contents: Iterable[str]) -> list[int]:
        """The prompt of a chat: 2 tokens around all, 2 around each message, whatever its role.

        It ends as a message begins, so a chat that goes on with the answer begins with this and the answer.
        """
        ids = [_BEGIN]
        for content in contents:
            ids += [_ROLE, *self.encode(content), _END]
        return [*ids, _ROLE]

    def output(self, seed: int, count: int) -> list[int]:
        """`count` ordinary token ids; the same for the same seed."""
        ordinary = self.size - len(SPECIALS)
        start = zlib.crc32(b"%d" % seed) % ordinary
        return [len(SPECIALS) + (start + position * _STRIDE) % ordinary for position in range(count)]

    def _id(self, word: str) -> int:
        known = self._ids.get(word)
        if known is not None:
            return known
        hashed = zlib.crc32(word.encode("utf-8", "surrogatepass"))
        return len(SPECIALS) + hashed % (self.size - len(SPECIALS))
