"""The server under test and its key, as the options name them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from loadgen.small_file import FileError, read_small
from loadgen.target.api_key import ApiKey, ApiKeyError, read_api_key
from loadgen.target.request_headers import Header, HeaderError, parse_header, read_headers
from loadgen.target.url import TargetError, parse_target
from sessions.plan.target_config import OtherTarget, TargetConfig
from tui.options.as_typed import got_by
from tui.options.exit_codes import CommandError, one_line, tell
from tui.options.several_targets import check_secrets, typed_targets

MOST_PEM_BYTES = 16 << 20
"""All authorities of a distribution take less than one."""
EXAMPLE = "http://localhost:8000"


def target(options: argparse.Namespace) -> TargetConfig:
    """The servers that `options` name: the first one, with those beside it.

    Raises:
        CommandError: there is none, or one is no address.
    """
    each = typed_targets(options)
    if not each:
        hint = ""
        if taken := [source for source in options.telemetry or () if "://" in source]:
            hint = (
                f"; --telemetry took {one_line(taken[0])[:60]} and all behind it: write the server before it"
            )
        raise CommandError(f"no server address given, need a URL such as {EXAMPLE}{hint}")
    if options.cert_key is not None and options.cert is None:
        got = got_by(options, "cert_key")
        raise CommandError(f"{got}, need the certificate it belongs to as well (--cert FILE)")
    try:
        urls = [parse_target(one.url, proxy=options.proxy, path=options.path).url for one in each]
    except TargetError as error:
        raise CommandError(str(error)) from None
    others = [OtherTarget(url, one.weight) for url, one in zip(urls[1:], each[1:], strict=True)]
    return TargetConfig(
        url=urls[0],
        model=options.model,
        endpoint=options.endpoint or "auto",
        ca_file=readable(options.ca, "--ca"),
        insecure=options.insecure,
        cert_file=readable(options.cert, "--cert"),
        cert_key_file=readable(options.cert_key, "--cert-key"),
        path=options.path,
        headers=_shown_headers(options),
        proxy=options.proxy,
        weight=each[0].weight if others else (1 if getattr(options, "targets_of_plan", False) else None),
        others=others or None,
        sources=getattr(options, "source_address", None),
    )


def api_key(options: argparse.Namespace) -> str | None:
    """The key from `--api-key-file` or the environment; None when there is none.

    Raises:
        CommandError: the file cannot be read, or what was found is no key. The key is never in the message.
    """
    if not hasattr(options, "read_key"):  # a pipe can be read but once
        try:
            options.read_key = read_api_key(os.environ, options.api_key_file)
        except ApiKeyError as error:
            raise CommandError(str(error)) from None
        if options.read_key is not None and options.read_key.note:
            tell(f"ttftop: {one_line(options.read_key.note)}")
    key: ApiKey | None = options.read_key
    return None if key is None else key.reveal()


def refuse_secrets_to_a_plan(options: argparse.Namespace, key: str | None) -> None:
    """Raises:
    CommandError: a key or a secret header would go to a server that only a plan or a session names.
    """
    secret, _ = _secret_headers(options)
    words = (["the API key"] if key is not None else []) + [f"the header {name}" for name, _ in secret]
    check_secrets(options, options.given_by_plan, words)


def headers(options: argparse.Namespace) -> list[Header]:
    """What `--header`, `--plain-header` and the environment add to every request.

    Raises:
        CommandError: one of them is no header, or a file cannot be read. No value is in the message.
    """
    secret, _ = _secret_headers(options)
    return secret + _plain_headers(options)


def headers_again(kept: Sequence[str], given: Sequence[Header]) -> list[Header]:
    """Those that a session which is resumed sent, as it `kept` them, and that are not `given`.

    Raises:
        CommandError: one of them is secret: a session has its name alone.
    """
    names = {name.lower() for name, _ in given}
    again = []
    for text in kept:
        name, is_plain, _ = text.partition(": ")
        if name.lower() in names:
            continue
        if not is_plain:
            raise CommandError(
                f"--resume: the session sent a header {one_line(name)}, whose value it does not keep: "
                "give it again by --header or TTFTOP_HEADERS"
            )
        try:
            again.append(parse_header(text, "--resume"))
        except HeaderError as error:  # nothing that a run would have kept
            raise CommandError(str(error)) from None
    return again


def tell_of_headers(options: argparse.Namespace) -> None:
    """Says on stderr what is worth knowing of how they were given."""
    for note in _secret_headers(options)[1]:
        tell(f"ttftop: {one_line(note)}")


def _secret_headers(options: argparse.Namespace) -> tuple[list[Header], list[str]]:
    if options.read_headers is None:  # a pipe can be read but once
        try:
            options.read_headers = read_headers(options.header or (), os.environ)
        except HeaderError as error:
            raise CommandError(str(error)) from None
    found: tuple[list[Header], list[str]] = options.read_headers
    return found


def _plain_headers(options: argparse.Namespace) -> list[Header]:
    try:
        return [parse_header(text, "--plain-header") for text in options.plain_header or ()]
    except HeaderError as error:
        raise CommandError(str(error)) from None


def _shown_headers(options: argparse.Namespace) -> list[str]:
    secret, _ = _secret_headers(options)
    return [name for name, _ in secret] + [f"{name}: {value}" for name, value in _plain_headers(options)]


def readable(path: Path | None, option: str) -> str | None:
    """The file of certificates or of a key that `option` names, from the root; None without one.

    Raises:
        CommandError: it cannot be read, or is nothing that OpenSSL could read to its end.
    """
    if path is None:
        return None
    try:
        read_small(path, MOST_PEM_BYTES)
    except FileError as error:
        why = str(error).removeprefix("cannot read it: ")
        raise CommandError(f"{option}: cannot read {path}: {why}; need a file that can be read") from None
    return str(path.resolve())
