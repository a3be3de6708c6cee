"""Options that say what requests ask for."""

from __future__ import annotations

import argparse

from loadgen.endpoint_names import ENDPOINT_NAMES
from tui.options import value_types
from tui.options.conversation_options import conversation_arguments


def request_arguments(parser: argparse.ArgumentParser) -> None:
    work = parser.add_argument_group("requests")
    work.add_argument(
        "--model", type=value_types.model, metavar="M", help="when the server lists more than one"
    )
    work.add_argument(
        "--endpoint",
        choices=ENDPOINT_NAMES,
        metavar="E",
        help=f"{', '.join(ENDPOINT_NAMES)} (what the server has of the first two)",
    )
    work.add_argument(
        "--input-tokens",
        type=value_types.lengths,
        metavar="N",
        help="length of the random prompts (256): also 100..2048, normal:512:128, ...",
    )
    work.add_argument(
        "--output-tokens",
        type=value_types.lengths,
        metavar="N",
        help="length of the answers (64): also 100..2048, exponential:200@50..500, ...",
    )
    conversation_arguments(work)
    work.add_argument(
        "--prefix",
        type=value_types.prefix,
        metavar="GxMxT",
        help="G groups of M members share their first T tokens, before --input-tokens: 150x5x6000",
    )
    work.add_argument(
        "--cache",
        choices=("keep", "defeat"),
        metavar="C",
        help="keep: the prompts of every run, for the server's prefix cache; defeat: none of them again",
    )
    work.add_argument(
        "--prompts",
        type=value_types.prompts,
        metavar="FILE",
        help="prompts from a file: a line each, JSON lines (prompt, messages, lengths), or ShareGPT's",
    )
    work.add_argument(
        "--prompt-order",
        choices=("sequential", "shuffled"),
        metavar="O",
        help="of that file: sequential, or shuffled by the seed (sequential)",
    )
    work.add_argument(
        "--mix",
        type=value_types.mix,
        metavar="MIX",
        help="kinds of requests by their weights: short-chat:0.7,long-context:0.3, or the plan's [[mix]]",
    )
    work.add_argument(
        "--body",
        type=value_types.body_field,
        action="append",
        metavar="KEY=JSON",
        help="a field more in every body: temperature=0.7; null leaves one of ours out",
    )
    work.add_argument(
        "--timeout",
        type=value_types.timeout,
        action="append",
        metavar="NAME=TIME",
        help="a request's deadline: connect=10s, headers=2m, first-token=2m, gap=1m, total (none)",
    )
