"""One /metrics page (Prometheus exposition format) as plain samples, and nothing of it that nobody reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from telemetry.source import unchanged

SIMULATED = "ttftop_simulated"
"""A gauge of 1 in the /metrics of ttftop's own simulator."""

MOST_LINES = 10_000
"""A hundred hosts of eight GPUs; parsing so many takes 0.1 s."""
MOST_KEPT_BYTES = 8 << 20
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_BLANKS = b" \t\r\xef\xbb\xbf"
"""Before a name: blanks, and the bytes of a byte order mark."""


class TooMuch(Exception):
    """More of a page than can be kept: how much, in words."""


class MetricSample(NamedTuple):
    """One line of a page. A line that cannot be read has the value NaN and no labels."""

    name: str
    labels: Mapping[str, str]
    value: float


class Scrape(NamedTuple):
    """When and where the samples were had."""

    t_ns: int
    took_ns: int
    source: str


class Page(NamedTuple):
    """What a page holds that is wanted."""

    samples: list[MetricSample]
    bad_lines: list[int]
    """Numbers of the wanted lines, from 1, that are no Prometheus text."""


class PageReader:
    """Takes a page piece by piece and keeps the lines of `names` alone.

    A vLLM shows 500 to 5000 lines, most of them histogram buckets, and some servers put a model's whole
    configuration into one. Names may stand with `_` for `:`, as gateways and collectors write them. A page
    that is one JSON string (llama.cpp b7010 to b7185) is taken out of it.

    Args:
        redact: hides our key, before anything of the page is cut or kept.
    """

    def __init__(self, names: Collection[str], redact: Callable[[str], str] = unchanged) -> None:
        self._redact = redact
        self._names = {**{name.replace(":", "_"): name for name in names}, **{name: name for name in names}}
        self._starts = tuple(name.encode() for name in self._names)
        self._longest = max(map(len, self._starts), default=0) + len(_BLANKS)
        self._kept: list[tuple[int, bytes]] = []
        self._kept_bytes = 0
        self._line = 1
        self._rest = b""
        self._skipping = False
        """What follows belongs to a line that nobody reads."""
        self._json: bytearray | None = None
        self._begun = False

    def take(self, data: bytes) -> None:
        """
        Raises:
            TooMuch: there are too many wanted lines.
        """
        if not self._begun:
            first = data.lstrip(_BLANKS + b"\n")[:1]
            self._begun = bool(first)
            if first == b'"':
                self._json = bytearray()
        if self._json is None:
            self._take_lines(data)
        else:
            self._json += data
            self._count(len(data))

    def page(self) -> Page:
        """All that was taken.

        Raises:
            TooMuch: there are too many wanted lines.
        """
        if self._json is not None:
            text, self._json = bytes(self._json), None
            try:
                decoded = json.loads(text)
            except (ValueError, RecursionError):
                decoded = ""
            self._line = 1
            self._take_lines(decoded.encode("utf-8", "replace") if isinstance(decoded, str) else b"")
        self._take_lines(b"\n")
        lines = [(number, self._redact(line.decode(errors="replace"))) for number, line in self._kept]
        return _parsed(lines, self._names)

    def _take_lines(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            if not self._skipping:
                self._keep_if_wanted(line)
            self._skipping = False
            self._line += 1
        if len(self._rest) > self._longest and not self._wanted(self._rest):
            self._skipping = True
        if self._skipping:
            self._rest = b""
        elif len(self._rest) > MOST_KEPT_BYTES:
            raise TooMuch(f"a line of more than {MOST_KEPT_BYTES >> 20} MiB")

    def _wanted(self, line: bytes) -> bool:
        return line.lstrip(_BLANKS).startswith(self._starts)

    def _keep_if_wanted(self, line: bytes) -> None:
        if self._wanted(line):
            self._kept.append((self._line, line.strip(_BLANKS)))
            self._count(len(line))
            if len(self._kept) > MOST_LINES:
                raise TooMuch(f"more than {MOST_LINES:,} lines that ttftop knows")

    def _count(self, size: int) -> None:
        self._kept_bytes += size
        if self._kept_bytes > MOST_KEPT_BYTES:
            raise TooMuch(f"more than {MOST_KEPT_BYTES >> 20} MiB of metrics that ttftop knows")


def parse(text: str, names: Collection[str]) -> Page:
    """The samples called exactly as one of `names`, or that with `_` for `:`, in the order of the text.

    Raises:
        TooMuch: there are too many of them.
    """
    reader = PageReader(names)
    reader.take(text.encode())
    return reader.page()


def _parsed(lines: list[tuple[int, str]], names: Mapping[str, str]) -> Page:
    bad_lines: list[int] = []
    try:
        samples = _samples([line for _, line in lines])
    except Exception:
        samples = []
        for number, line in lines:
            try:
                samples += _samples([line])
            except Exception:  # whatever the parser stumbles over
                name = match[0] if (match := _NAME.match(line)) else ""
                if name in names:
                    bad_lines.append(number)
                    samples.append(MetricSample(name, {}, float("nan")))
    own = {sample.name for sample in samples if names.get(sample.name) == sample.name}
    kept = [
        sample._replace(name=names[sample.name])
        for sample in samples
        if sample.name in own or (sample.name in names and names[sample.name] not in own)
    ]
    return Page(kept, bad_lines)


def _samples(lines: list[str]) -> list[MetricSample]:
    from prometheus_client.parser import text_string_to_metric_families

    return [
        MetricSample(sample.name, sample.labels, _float(sample.value))
        for family in text_string_to_metric_families("\n".join(lines) + "\n")
        for sample in family.samples
    ]


def _float(value: float) -> float:
    """The parser gives an int where it can, of any length."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def simulated(samples: Iterable[MetricSample]) -> bool:
    """Whether the text is from ttftop's own simulator."""
    return any(sample.name == SIMULATED and sample.value == 1 for sample in samples)
