"""Conversations: each turn asks with all that was said before it, by the person and by the server.

By chat as messages, by completions as one growing text. What the person says is random words, as long as the
turn's drawn length; what the server said is what it really answered.
"""

from __future__ import annotations

import msgspec

from loadgen.endpoints.prompt import Messages
from loadgen.indices import TURN_STRIDE
from loadgen.records import Request
from loadgen.workload.draws import drawn_length
from loadgen.workload.spec import ConversationWorkload, RequestSpec
from loadgen.workload.synthetic_prompt import prompt


class Message(msgspec.Struct, frozen=True):
    """One message of a chat, as it goes over the wire."""

    role: str
    content: str


class _History:
    """What was said in a conversation so far."""

    def __init__(self, system: str, tokens: int) -> None:
        self.messages = [Message("system", system)] if system else []
        self.tokens = tokens
        """Of all messages, as far as they were counted."""
        self.said = ""
        """What the person says in the turn that is under way."""
        self.said_tokens = 0


class ConversationRequests:
    """A `Workload`: index `c * TURN_STRIDE + t` is turn `t` of conversation `c`."""

    needs_text = True

    def __init__(self, told: ConversationWorkload, seed: int) -> None:
        self._told, self._seed = told, seed
        self._words = msgspec.structs.replace(told.prompt, overhead_tokens=0)
        self._system = prompt(self._words, seed + 1, 0, told.system_tokens) if told.system_tokens else ""
        self._histories: dict[int, _History] = {}

    def spec(self, index: int) -> RequestSpec:
        told, seed = self._told, self._seed
        conversation, turn = divmod(index, TURN_STRIDE)
        history = self._histories.get(conversation)
        if history is None:
            history = self._histories[conversation] = _History(
                str(self._system), told.system_tokens + told.prompt.overhead_tokens
            )
        tokens = drawn_length(told.input, seed, index, "input")
        history.said, history.said_tokens = str(prompt(self._words, seed, index, tokens)), tokens
        messages = [*history.messages, Message("user", history.said)]
        return RequestSpec(
            Messages(msgspec.Raw(msgspec.json.encode(messages)))
            if told.chat
            else " ".join(message.content for message in messages),
            history.tokens + tokens,
            drawn_length(told.output, seed, index, "output"),
            conversation,
            turn,
        )

    def answered(self, request: Request, text: str) -> None:
        """What was said becomes part of the history; a turn that failed, or the last one, ends it."""
        conversation, turn = divmod(request.index, TURN_STRIDE)
        history = self._histories.get(conversation)
        if history is None:
            return
        if request.error is not None or turn + 1 >= self._told.turns_of(conversation):
            del self._histories[conversation]
            return
        history.messages += [Message("user", history.said), Message("assistant", text)]
        history.tokens += history.said_tokens + (request.output_tokens or 0)
