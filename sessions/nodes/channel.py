"""One node, as the host reaches it: what every launcher (this machine, ssh, Ray) must give."""

from __future__ import annotations

from typing import Protocol

from sessions.nodes.messages import NodeAnswer, Question

NO_AGENT = "it said what no agent says"


class NodeLost(Exception):
    """The node, its agent or the way to it is gone for good: one line, fit to be shown."""


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
