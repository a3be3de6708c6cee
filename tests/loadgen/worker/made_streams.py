"""Streams as servers send them, good and odd, made at random: bytes, where they are cut, and what was known."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.loadgen.worker.reference_reading import How

TEXTS = [
    " a", " word", "é", " 四个字", "\u2028x", "a\u0085b\x0bc\x1cd\x0ce", "a\nb", '"', "\\u0000", " ", "{}",
    "data: x", "\ud83d", "🙂", " of several words",
]  # fmt: skip
ODD_TEXTS = [
    "", None, 7, [], [{"type": "text", "text": "part"}], [{"type": "thinking", "thinking": ["hm"]}],
    {"text": "a"},
]  # fmt: skip
ODD_COUNTS = [-1, 1.5, 3.0, "3", True, None, 10**10, 10**25, [], {}]
ODD_USAGES: list[Any] = [{}, [5], "none", 0, {"completion_tokens": None}, {"prompt_tokens_details": None}]
FINISHES = [
    "stop", "length", "tool_calls", "content_filter", "eos_token", "repetition", "abort", "error", "", 7,
]  # fmt: skip
ERRORS: list[dict[str, Any]] = [
    {"error": {"message": "boom", "code": 500}},
    {"error": {"message": "busy", "code": "429"}},
    {"error": {}},
    {"error": []},
    {"errors": [{"message": "no"}]},
    {"errors": ["busy"], "error_type": "overloaded"},
    {"object": "error", "message": "no"},
    {"detail": "no"},
    {"choices": [], "error": "text", "error_type": "overloaded"},
]
NO_TOKENS: list[dict[str, Any]] = [
    {}, {"choices": None}, {"choices": []}, {"choices": [7, None]}, {"choices": "x"},
    {"choices": [], "error": {}}, {"choices": [], "errors": ["x"]}, {"choices": [], "object": "error"},
]  # fmt: skip
RAW = [
    b"{broken", b"[]", b"null", b"NaN",
    b'{"choices":[{"index":0,"text":"\xff","delta":{"content":"\xff"}}]}', b"[DONE] ", b" [DONE]",
    b"[DONE]x", b'{"choices":[{"text":"a","delta":{"content":"a"}}]} {}',
    b'{"choices":[{"text":"a","delta":{"content":"a"}}],"x":NaN}',
    b'{"choices":[{"text":"a\tb","delta":{"content":"a\tb"}}]}',
]  # fmt: skip
BETWEEN = [
    b": ping", b":", b"id: 7", b"retry: 100", b"id", b"data", b"data:", b"event:", b"event: message",
    b"event: sglext_ids", b"event: error", b"error: gone", b"\xff\xfe", b"x: y", b"error:", b"dat\xc3",
]  # fmt: skip
DAMAGE = [
    b"", b"\n", b"\r", b"\n\n", b"\t", b'"', b"}", b"{", b"}\n\ndata: {", b"data: ", b"\xff", b"\\u0000",
    b"\\ud800", b",", b"null", b"1", b"1e400", b"[]", b": ping\n\n", b"event: error\n", b'"error":1,',
    b'"usage":{},', b"NaN", b"-0", b"0.0", b"\x00", b"\\", b"\xef\xbb\xbf",
]  # fmt: skip
USAGE_STYLES = [
    "none", "none", "continuous", "continuous", "final", "final", "final", "nought", "null", "in_choice",
    "repeated", "odd",
]  # fmt: skip


@dataclass
class Made:
    """A body, the places where reads end, and what was known of the server beforehand."""

    body: bytes
    cuts: list[int]
    how: How

    @property
    def pieces(self) -> list[bytes]:
        edges = sorted({0, len(self.body), *(cut for cut in self.cuts if 0 < cut < len(self.body))})
        return [self.body[a:b] for a, b in itertools.pairwise(edges)]


class _Maker:
    """One server's stream, event after event."""

    def __init__(self, random: Random, how: How | None = None) -> None:
        self.random = random
        pick = self.random.choice
        self.how = how or How(
            pick(["chat", "chat", "completions"]),
            pick([True, False]),
            pick([True, False]),
            self.chance(0.05),
            self.chance(0.05),
        )
        self.style = pick(USAGE_STYLES)
        if self.how.chunk_counts and self.chance(0.6):
            self.style = "continuous"
        self.reasoning = pick([None, None, 0, 5, 40])
        self.ids = self.chance(0.2)
        if self.ids and self.chance(0.4):
            self.style = "none"
        self.usual = self.chance(0.4)
        self.several = self.chance(0.2 if self.usual else 0.4)
        self.odd = not self.usual and self.chance(0.7)
        self.counted = 40 if self.reasoning == 40 and self.chance(0.8) else 0
        self.index = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def usage(self) -> dict[str, Any]:
        pick, counted = self.random.choice, self.counted
        usage: dict[str, Any] = {
            "prompt_tokens": 8,
            "completion_tokens": counted,
            "total_tokens": 8 + counted,
        }
        if self.reasoning is not None and self.chance(0.8):
            if self.chance(0.8):
                usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning}
            else:
                usage["reasoning_tokens"] = self.reasoning
            if self.chance(0.1):
                usage["total_tokens"] += self.reasoning
        if self.chance(0.3):
            usage["prompt_tokens_details"] = pick([None, {"cached_tokens": 3}, {"cached_tokens": -1}, 7, {}])
        if self.odd and self.chance(0.1):
            usage[pick(["prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens"])] = pick(
                ODD_COUNTS
            )
        return usage

    def choice(self, text: object, finish: object = None, kind: str = "content") -> dict[str, Any]:
        choice: dict[str, Any] = {"index": self.index, "finish_reason": finish}
        if self.how.endpoint == "completions":
            choice["text"] = text
        elif kind == "tool_calls":
            name = self.random.choice([None, "", "f"])
            choice["delta"] = {"tool_calls": [{"id": "c", "function": {"name": name, "arguments": text}}]}
        else:
            choice["delta"] = {kind: text}
        if self.how.index_counts:
            self.index += 1
        elif self.chance(0.02):
            choice["index"] = self.random.choice([1, 2, None, "0", -1])
        elif self.chance(0.1):
            del choice["index"]
        return choice

    def token(self, finish: object = None, kind: str = "content") -> dict[str, Any]:
        """A chunk of text, and what its server says beside it."""
        pick = self.random.choice
        tokens = pick([1, 1, 2, 4]) if self.several else 1
        text = pick(TEXTS) * pick([1, tokens])
        if self.odd and self.chance(0.1):
            text = pick(ODD_TEXTS)
        choice = self.choice(text, finish, kind)
        if text:
            self.counted += tokens
        elif self.chance(0.3):
            self.counted += 1  # half a character
        if self.ids and self.chance(0.95):
            choice["token_ids"] = pick([[7] * tokens, [7] * tokens, None, []])
        if self.odd and self.chance(0.1) and "delta" in choice:
            choice["delta"][
                pick(["refusal", "reasoning", "role", "reasoning_content", "tool_calls", "function_call"])
            ] = pick(["b", "", None, [], [{"function": {"arguments": "x"}}], {"name": "f"}])
        event: dict[str, Any] = {"choices": [choice]}
        if self.style == "continuous" and self.chance(0.97):
            event["usage"] = self.usage()
        elif self.style == "nought":
            event["usage"] = {"prompt_tokens": 0, "completion_tokens": 0}
        elif self.style == "null":
            event["usage"] = None
        elif self.style == "odd":
            event["usage"] = pick(ODD_USAGES)
        elif self.style == "in_choice" and self.chance(0.1):
            choice["usage"] = self.usage()
        if self.odd and self.chance(0.05):
            event["choices"].append({**self.choice("b", None), "index": pick([0, 1, 1])})
        return event

    def any_event(self, kind: str) -> bytes:
        pick, roll = self.random.choice, self.random.random()
        if roll < (0.85 if self.odd else 0.97):
            return _json(self.token(kind=kind))
        if roll > 0.995:
            return _json(pick(ERRORS))
        if self.chance(0.3):
            return pick(RAW)
        if self.chance(0.3):
            return _json({**pick(NO_TOKENS), "usage": self.usage()})
        if self.chance(0.3):
            return _json({"choices": [self.choice("", None)], "usage": pick([None, self.usage()])})
        return _json(pick(NO_TOKENS))

    def tail(self) -> list[bytes]:
        """How the answer ends, and what may stand behind it."""
        made: list[bytes] = []
        if self.chance(0.9):
            reason = self.random.choice(FINISHES if self.odd else FINISHES[:3])
            finish = self.token(reason) if self.chance(0.5) else {"choices": [self.choice(None, reason)]}
            if self.style == "in_choice":
                finish["choices"][0]["usage"] = self.usage()
            elif self.style == "continuous" or (self.style in ("final", "repeated") and self.chance(0.4)):
                self.counted += self.chance(0.3)
                finish["usage"] = self.usage()
            made.append(_json(finish))
        if self.style in ("final", "repeated", "nought", "null") or (
            self.style == "continuous" and self.chance(0.8)
        ):
            self.counted += self.chance(0.2)
            made.append(_json({"choices": [], "usage": self.usage()}))
        if self.style == "repeated":
            self.counted += self.chance(0.2)
            made.append(_json({"choices": [], "usage": self.usage()}))
        if self.odd and self.chance(0.3):
            made.insert(self.random.randrange(len(made) + 1), _json(self.token()))
        if self.chance(0.85):
            made.append(b"[DONE]")
            if self.odd and self.chance(0.1):
                made.append(_json(self.token()))
        return made

    def events(self) -> list[bytes]:
        pick = self.random.choice
        made = []
        if self.how.endpoint == "chat" and self.chance(0.6):
            made.append(
                _json(
                    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": pick(["", None])}}]}
                )
            )
        thoughts = pick([0, 0, 0, 3, 8]) if self.how.endpoint == "chat" else 0
        kind = pick(["content", "content", "content", "tool_calls"])
        for number in range(thoughts + pick([0, 1, 2, 5, 12, 30])):
            made.append(self.any_event("reasoning_content" if number < thoughts else kind))
        return made + self.tail()

    def body(self) -> tuple[bytes, list[int]]:
        """The bytes of all events, and where each of them ends."""
        pick = self.random.choice
        strange = not self.usual and self.chance(0.6)
        ends = pick([[b"\r\n"], [b"\r"], [b"\n"], [b"\n", b"\r\n", b"\r"]]) if strange else [b"\n"]
        body = bytearray(b"\xef\xbb\xbf" * (strange and self.chance(0.2)))
        stops: list[int] = []
        for data in self.events():
            for _ in range(self.chance(0.3) if strange else self.chance(0.02)):
                body += pick(BETWEEN) + pick(ends) * pick([1, 2])
            parts = [data]
            if strange and self.chance(0.2) and data[:1] == b"{" and b"\n" not in data and b'"' in data:
                at = data.index(b":") + 1  # white space may stand there, so a line may end
                parts = [data[:at], data[at:]]
            for part in parts:
                body += pick([b"data:", b"data: "]) if strange else b"data: "
                body += part + pick(ends)
            if not (self.how.line_events and self.chance(0.9)):
                body += pick(ends)
            stops.append(len(body))
        if self.chance(0.1):
            del body[-self.random.randrange(1, 4) :]
        return bytes(body), stops

    def damaged(self, body: bytes) -> bytes:
        """The same with a few bytes lost or put in."""
        changed = bytearray(body)
        for _ in range(self.random.choice([1, 1, 3])):
            at = self.random.randrange(len(changed) + 1)
            changed[at : at + self.random.choice([0, 0, 1, 12])] = self.random.choice(DAMAGE)
        return bytes(changed)

    def made(self) -> Made:
        body, stops = self.body()
        if self.odd and self.chance(0.3):
            body = self.damaged(body)
        cuts = list(stops)
        way = 1.0 if self.usual else self.random.random()
        if way < 0.1:
            cuts = list(range(len(body))) if len(body) < 4000 else []
        elif way < 0.5:
            cuts = [cut for cut in stops if self.chance(0.7)]
            cuts += [self.random.randrange(len(body) + 1) for _ in range(self.random.choice([0, 1, 5]))]
        elif way < 0.6:
            cuts = [self.random.randrange(len(body) + 1) for _ in range(5)]
        return Made(body, cuts, self.how)


def _json(event: dict[str, Any]) -> bytes:
    return (
        json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if _sound(event)
        else json.dumps(event).encode()
    )


def _sound(event: dict[str, Any]) -> bool:
    """It has no half of a surrogate pair, which only an escape can hold."""
    try:
        json.dumps(event, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def made_stream(random: Random, how: How | None = None) -> Made:
    """One stream, of a server of which `how` was known, or anything."""
    return _Maker(random, how).made()


@st.composite
def made_streams(draw: st.DrawFn) -> Made:
    return made_stream(draw(st.randoms(use_true_random=True)))
