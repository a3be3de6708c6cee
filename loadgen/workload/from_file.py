"""Requests with the prompts of a file, in its order or shuffled, over again when all had their turn."""

from __future__ import annotations

import msgspec

from loadgen.endpoints.prompt import Messages, Prompt
from loadgen.records import Request
from loadgen.workload.draws import drawn_bytes, drawn_length
from loadgen.workload.permutation import permuted
from loadgen.workload.prompt_pack import packed_prompts
from loadgen.workload.prompt_source import Kind
from loadgen.workload.spec import FileWorkload, RequestSpec
from loadgen.workload.synthetic_prompt import prompt

_encode = msgspec.json.Encoder().encode


class FileRequests:
    """A `Workload`: prompts that a person wrote, and lengths that a person measured."""

    needs_text = False

    def __init__(self, told: FileWorkload, seed: int) -> None:
        self._told, self._seed = told, seed
        self._prompts = packed_prompts(told.path)

    def spec(self, index: int) -> RequestSpec:
        told, seed = self._told, self._seed
        turn, number = divmod(index, len(self._prompts))
        if told.shuffled:
            number = permuted(number, len(self._prompts), f"{seed}:prompts:{turn}")
        entry = self._prompts[number]
        output = entry.output_tokens or drawn_length(told.output, seed, index, "output")
        if entry.kind == Kind.LENGTH:
            made = prompt(told.prompt, seed, index, entry.input_tokens)
            return RequestSpec(made, entry.input_tokens, output)
        salt = drawn_bytes(f"{seed}:{index}:salt", 8).hex() if told.salted else ""
        json = entry.json
        asked: Prompt
        if entry.kind == Kind.MESSAGES:
            asked = Messages(msgspec.Raw(_salted(json, salt) if salt else json))
        else:
            asked = msgspec.Raw(b'"%s %s' % (salt.encode(), json[1:]) if salt else json)
        return RequestSpec(asked, None, output, prompt_number=None if salt else number)

    def answered(self, request: Request, text: str) -> None:
        """Nothing depends on an answer."""


def _salted(json: bytes, salt: str) -> bytes:
    """Messages of which the first begins with `salt`."""
    messages: list[dict[str, object]] = msgspec.json.decode(json)
    first = dict(messages[0])
    content = first.get("content")
    if isinstance(content, list):
        first["content"] = [{"type": "text", "text": salt}, *content]
    else:
        first["content"] = f"{salt} {content or ''}"
    return _encode([first, *messages[1:]])
