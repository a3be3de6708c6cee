"""The form that stands before a run: its fields, how they begin, and the command line that they come to.

Pure. What the words mean, and whether they can be, is the command's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from telemetry.local_servers import LocalServer


class FormField(NamedTuple):
    """A line to fill in."""

    name: str
    """The option without its dashes; `url` is the command's argument."""
    label: str
    default: str
    hint: str
    """What may stand there; shown while it is empty."""


FIELDS = (
    FormField("url", "server", "", "http://localhost:8000"),
    FormField("model", "model", "", "the only one that the server lists"),
    FormField("rate", "requests a second", "1", "1"),
    FormField("duration", "for", "60s", "until you end it"),
    FormField("input-tokens", "prompt tokens", "256", "256"),
    FormField("output-tokens", "answer tokens", "64", "64"),
    FormField("slo", "targets", "", "none; such as ttft.p95<500ms, itl.p99<50ms"),
)


class Checked(NamedTuple):
    """What a form comes to."""

    words: tuple[str, ...]
    """Of the command line, after `ttftop`."""
    says: str
    """How long and how many requests, or what is wrong."""
    ok: bool


def filled(server: LocalServer | None) -> dict[str, str]:
    """The form as it opens on a server: what harms none, and of several models the first."""
    values = {field.name: field.default for field in FIELDS}
    if server is not None:
        values["url"] = server.url
        values["model"] = server.models[0] if server.models else ""
    return values


def words(values: Mapping[str, str]) -> tuple[str, ...]:
    """What a person would type after `ttftop`; a field that is empty is left out."""
    given = [(field.name, values.get(field.name, "").strip()) for field in FIELDS[1:]]
    url = values.get("url", "").strip()
    # Behind a dash it would be an option.
    return ("run", url.lstrip("-"), *(f"--{name}={value}" for name, value in given if value))
