"""Conversations as they are typed."""

from __future__ import annotations

import argparse
from typing import Any

from tui.options import value_types


def conversation_arguments(work: argparse._ActionsContainer) -> None:
    work.add_argument(
        "--turns",
        type=value_types.turns,
        metavar="N",
        help="conversations of N turns that carry their history: also 2..8, exponential:4@1..20",
    )
    work.add_argument(
        "--think",
        type=value_types.think,
        metavar="TIME",
        help="between an answer and the next turn: 2s, 1s..5s, exponential:2s (none)",
    )
    work.add_argument(
        "--system-tokens",
        type=value_types.count,
        metavar="N",
        help="length of a system prompt that all conversations share (none)",
    )
    work.add_argument(
        "--conversation-header",
        type=value_types.header_name,
        metavar="NAME",
        help="a header with the conversation's number, for routers that keep it in one place",
    )


def conversation_asked(options: argparse.Namespace) -> dict[str, Any]:
    """What was typed, by the names of `sessions.plan.config.WorkloadConfig`; None where nothing was."""
    return {
        "turns": options.turns,
        "think": options.think,
        "system_tokens": options.system_tokens,
        "conversation_header": options.conversation_header,
    }
