"""The server under test and its key, as the options name them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from loadgen.target.api_key import ApiKeyError, read_api_key
from loadgen.target.url import TargetError, parse_target
from sessions.plan.config import TargetConfig
from tui.options.exit_codes import CommandError, one_line

EXAMPLE = "http://localhost:8000"


def target(options: argparse.Namespace) -> TargetConfig:
    """The server that `options.target` names.

    Raises:
        CommandError: there is none, or it is no address.
    """
    if options.target is None:
        hint = ""
        if any("://" in source for source in options.telemetry or ()):
            hint = "; --telemetry takes all URLs that follow it, so write the server before it"
        raise CommandError(f"no server address given, need a URL such as {EXAMPLE}{hint}")
    try:
        where = parse_target(options.target, proxy=options.proxy)
    except TargetError as error:
        raise CommandError(str(error)) from None
    return TargetConfig(
        url=where.url,
        model=options.model,
        endpoint=options.endpoint or "auto",
        ca_file=_readable(options.ca, "--ca"),
        insecure=options.insecure,
        proxy=options.proxy,
    )


def api_key(options: argparse.Namespace) -> str | None:
    """The key from `--api-key-file` or the environment; None when there is none.

    Raises:
        CommandError: the file cannot be read, or what was found is no key. The key is never in the message.
    """
    try:
        key = read_api_key(os.environ, options.api_key_file)
    except ApiKeyError as error:
        raise CommandError(str(error)) from None
    if key is None:
        return None
    if key.note:
        print(f"ttftop: {one_line(key.note)}", file=sys.stderr)
    return key.reveal()


def _readable(path: Path | None, option: str) -> str | None:
    if path is None:
        return None
    try:
        path.open("rb").close()
    except OSError as error:
        raise CommandError(f"{option}: cannot read {path}: {error.strerror}") from None
    return str(path.resolve())
