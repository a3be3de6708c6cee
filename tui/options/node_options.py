"""Machines that put the load on, as they are typed."""

from __future__ import annotations

import argparse

from sessions.plan.config import NodesConfig
from sessions.plan.node_words import NodeWordError, parse_nodes
from tui.options.exit_codes import CommandError


def node_arguments(load: argparse._ActionsContainer) -> None:
    load.add_argument(
        "--nodes",
        type=nodes,
        action="extend",
        metavar="NODES",
        help="send from other machines: ssh://a,ssh://me@b:22 (this machine alone)",
    )
    load.add_argument(
        "--on-node-lost",
        choices=("end", "go-on"),
        metavar="P",
        help="when a node is gone: end the run, or go-on with the others (end)",
    )


def nodes(text: str) -> list[str]:
    """`ssh://[user@]host[:port]`, several with commas between them."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    try:
        parse_nodes(words)
    except NodeWordError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return words


def nodes_asked(options: argparse.Namespace) -> NodesConfig | None:
    """None where all load comes from this machine.

    Raises:
        CommandError: what is said of nodes, without any.
    """
    if not options.nodes:
        if options.on_node_lost is not None:
            raise CommandError("--on-node-lost: it is of nodes; give --nodes as well")
        return None
    return NodesConfig(options.nodes, options.on_node_lost or "end")
