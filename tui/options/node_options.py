"""Machines that put the load on, as they are typed."""

from __future__ import annotations

import argparse

from sessions.plan import roles
from sessions.plan.config import NodesConfig
from sessions.plan.node_words import NodeWordError, check_nodes, ray_address
from tui.options.as_typed import got_by
from tui.options.exit_codes import CommandError


def node_arguments(load: argparse._ActionsContainer) -> None:
    load.add_argument(
        "--nodes",
        type=nodes,
        action="extend",
        metavar="NODES",
        help="send from other machines: ssh://a,ssh://me@b:22, or names of --ray (this machine alone)",
    )
    load.add_argument(
        "--ray",
        type=ray,
        metavar="ADDRESS",
        help="send from the nodes of a Ray cluster: auto, or IP:PORT of its head; --nodes names some of them",
    )
    load.add_argument(
        "--on-node-lost",
        choices=("end", "go-on"),
        metavar="P",
        help="when a node is gone: end the run, or go-on with the others (end)",
    )


def nodes(text: str) -> list[str]:
    """Several with commas between them."""
    return [word.strip() for word in text.split(",") if word.strip()]


def ray_arguments(parser: argparse.ArgumentParser) -> None:
    """Of a command that looks at a cluster and puts no load on."""
    parser.add_argument(
        "--ray",
        type=ray,
        metavar="ADDRESS",
        help="look at the nodes of a Ray cluster too: auto, or IP:PORT of its head",
    )
    parser.add_argument(
        "--nodes", type=nodes, action="extend", metavar="NAMES", help="of --ray: only these of its nodes"
    )


def ray(text: str) -> str:
    """`auto`, or `IP:PORT`."""
    try:
        return ray_address(text)
    except NodeWordError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def role(text: str) -> str:
    """What a machine does for the server."""
    try:
        return roles.role(text)
    except roles.RoleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def nodes_asked(options: argparse.Namespace) -> NodesConfig | None:
    """None where all load comes from this machine.

    Raises:
        CommandError: what is said of nodes, without any.
    """
    if not options.nodes and options.ray is None:
        if options.on_node_lost is not None:
            got = got_by(options, "on_node_lost")
            raise CommandError(f"{got}, which is of nodes; give --nodes or --ray as well")
        return None
    words, ray = options.nodes or [], options.ray or ""
    try:
        check_nodes(words, ray)
    except NodeWordError as error:
        raise CommandError(str(error)) from None
    return NodesConfig(words, options.on_node_lost or "end", ray)
