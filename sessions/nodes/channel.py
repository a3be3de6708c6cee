"""One node, as the host reaches it: what every launcher (this machine, ssh, Ray) must give."""

from __future__ import annotations

from typing import Protocol

from sessions.nodes.messages import NodeAnswer, Question, Refusal
from telemetry.source import plain

LEAVE_OUT = "need one that answers, or leave that node out"


def no_agent(said: str) -> str:
    """Of a node that speaks otherwise than an agent; `said`: what it was, fit to be shown."""
    return f"it said what no agent says: {said[:100]}; need the same ttftop there as here"


def said_instead(answer: NodeAnswer) -> str:
    """Of an answer that is none to the question, for `no_agent`."""
    return plain(answer.message) if isinstance(answer, Refusal) else "an answer to something else"


class NodeLost(Exception):
    """The node, its agent or the way to it is gone for good: one line with the next step."""


class Channel(Protocol):
    """Questions to one agent, any number at a time.

    A launcher gives one for each of its nodes. Closed, or with the death of this process, it ends its agent.
    """

    @property
    def name(self) -> str:
        """Of the node, unique in a session, safe to print and in a file's name: no credentials in it."""

    async def ask(self, question: Question, timeout_s: float) -> NodeAnswer:
        """Its answer.

        Raises:
            asyncio.TimeoutError: none within `timeout_s`; the node may be there still, and be asked again.
            NodeLost: there will be none any more.
        """

    async def close(self) -> None:
        """Gives the node up, waiting a moment at most."""
