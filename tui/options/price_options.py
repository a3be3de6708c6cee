"""`--prices`: what GPUs cost, for the commands that read sessions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tui.options.exit_codes import CommandError

if TYPE_CHECKING:
    from sessions.summary.prices import Prices


def prices_argument(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--prices", type=Path, metavar="FILE", help="what a GPU costs an hour, for money per million tokens"
    )


def asked_prices(options: argparse.Namespace) -> Prices | None:
    """The table that was named, or the person's own; None where there is none.

    Raises:
        CommandError: it cannot be read.
    """
    from sessions.summary.prices import PriceError, load

    try:
        return load(options.prices)
    except PriceError as error:
        raise CommandError(f"--prices: {error}") from None
