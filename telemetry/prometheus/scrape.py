"""A /metrics page over HTTP, asked once: what is wanted of it, or why there is nothing."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from telemetry.prometheus.exposition import Page, PageReader, TooMuch
from telemetry.source import NowNs, plain, unchanged

if TYPE_CHECKING:
    import ssl

    import httpx

TIMEOUT_S = 1.0
PATIENT_TIMEOUT_S = 10.0
"""For a server that has not answered within `TIMEOUT_S`: rare samples are better than none."""
MOST_READ_BYTES = 32 << 20
"""Of a page, unpacked; far less of it is kept."""
MOST_REFUSAL_BYTES, MOST_REFUSAL_PIECES = 4096, 16
ABSENT_INTERVAL_NS = 30_000_000_000
"""A server without /metrics is asked this often, in case it is started again with its flag."""

ABSENT = {
    404: "it publishes no metrics there (llama.cpp needs --metrics, SGLang --enable-metrics)",
    501: "its metrics are switched off (llama.cpp needs --metrics)",
}
REFUSED = {
    401: "it wants an API key for its metrics; set TTFTOP_API_KEY, which the target's own address is sent",
    403: "it refuses to show its metrics; need a key that it allows them",
}
ELSEWHERE = "it points elsewhere"
RIGHT_ADDRESS = "give the right address to --telemetry"
SMALLER_PAGE = "give the address of a smaller page to --telemetry"
PLAIN_TEXT = "need it as plain text: what stands before the server may compress it"
_GZIP = b"\x1f\x8b"


class Failure(Exception):
    """A scrape gave nothing: a few words why, safe to print.

    `retry_ns` set: the server answered, and it is certain that it shows no metrics now; ask again then.
    """

    def __init__(self, why: str, retry_ns: int | None = None) -> None:
        super().__init__(why)
        self.retry_ns = retry_ns


class TooSlow(Failure):
    """No page within the time that was given."""


class ModelWanted(Failure):
    """A router of several models shows the metrics of one at a time, and wants its name in the query."""


class Moved(Failure):
    """The same page, at `url`."""

    def __init__(self, url: str) -> None:
        super().__init__("")
        self.url = url


class ScrapeTarget(NamedTuple):
    """What to scrape."""

    url: str
    api_key: str | None = None
    """Goes out as a bearer token, and appears in no text."""
    ca_file: str | None = None
    insecure: bool = False
    model: str = ""
    """Of the run: what a router of several models is asked for. Empty: not known."""
    redact: Callable[[str], str] = unchanged
    """Hides our key in what the server says."""
    patient: bool = False
    """It is given `PATIENT_TIMEOUT_S` from the start: for one who asks once."""


def client(target: ScrapeTarget) -> httpx.Client:
    """An HTTP client for `scrape`: no redirects, no proxy of the environment's, which would see the key.

    Raises:
        Failure: the CA file cannot be read, or the key cannot stand in a header.
    """
    import ssl

    import httpx

    verify: ssl.SSLContext | bool = urlsplit(target.url).scheme == "https" and not target.insecure
    if verify:
        try:
            verify = ssl.create_default_context(cafile=target.ca_file or None)
        except (OSError, ssl.SSLError):
            raise Failure(
                f"the CA file {plain(target.ca_file or '')} cannot be read; need certificates in PEM"
            ) from None
        if not target.ca_file:
            import certifi

            verify.load_verify_locations(certifi.where())
    # Identity: to compress costs the server time under load.
    headers = {"accept": "text/plain", "accept-encoding": "identity", "user-agent": "ttftop"}
    if target.api_key:
        if not (target.api_key.isascii() and target.api_key.isprintable()):
            raise Failure("the API key has characters that no HTTP header may hold; need printable ASCII")
        headers["authorization"] = f"Bearer {target.api_key}"
    return httpx.Client(
        headers=headers, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, verify=verify
    )


def scrape(
    http: httpx.Client,
    url: str,
    names: Collection[str],
    now_ns: NowNs,
    *,
    redact: Callable[[str], str] = unchanged,
    timeout_s: float | None = None,
) -> Page:
    """What is wanted of the page at `url`: the lines of `names`.

    Args:
        timeout_s: for each read, and twice that for the whole page; None: `TIMEOUT_S`.

    Raises:
        Failure: it cannot be had.
    """
    import httpx

    timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
    deadline_ns = now_ns() + int(2 * timeout_s * 1e9)
    reader = PageReader(names, redact)
    left = MOST_READ_BYTES
    try:
        with http.stream("GET", url, timeout=httpx.Timeout(timeout_s, connect=TIMEOUT_S)) as response:
            if response.status_code != 200:
                raise _refusal(response, url, redact)
            for piece in _unpacked(response, redact):
                left -= len(piece)
                if left < 0:
                    raise Failure(
                        f"more than {MOST_READ_BYTES >> 20} MiB of metrics; {SMALLER_PAGE}",
                        ABSENT_INTERVAL_NS,
                    )
                reader.take(piece)
                # httpx's time-out is per read: a server that drips would hold us for ever.
                if now_ns() > deadline_ns:
                    raise TooSlow(f"its page takes more than {2 * timeout_s:g} s")
        return reader.page()
    except TooMuch as err:
        raise Failure(f"{err}; {SMALLER_PAGE}", ABSENT_INTERVAL_NS) from None
    except httpx.ConnectTimeout:
        raise Failure(f"cannot connect within {TIMEOUT_S:g} s; is the address right?") from None
    except httpx.TimeoutException:
        raise TooSlow(f"no answer within {timeout_s:g} s") from None
    except httpx.ConnectError as err:
        # The system's words, such as "[Errno 111] Connection refused".
        said = plain(str(err)).rpartition("] ")[2]
        need = "need its CA by --ca" if "certificate" in said else "is the server up?"
        raise Failure(f"cannot connect ({said}); {need}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as err:
        if "location header" in str(err):
            raise Failure(f"{ELSEWHERE}; {RIGHT_ADDRESS}", ABSENT_INTERVAL_NS) from None
        # Not the text of `err`: it may quote headers.
        raise Failure(f"broken answer ({type(err).__name__}); is the address one of metrics?") from None


def _unpacked(response: httpx.Response, redact: Callable[[str], str]) -> Iterator[bytes]:
    """The body in pieces of bounded size, also where a server or a proxy compressed it unasked."""
    named = response.headers.get("content-encoding", "").strip().lower()
    if named not in ("", "identity", "gzip", "x-gzip", "deflate"):
        shown = plain(redact(named), 40)
        raise Failure(f"its answer is compressed ({shown}) unasked; {PLAIN_TEXT}", ABSENT_INTERVAL_NS)
    packed = named not in ("", "identity")
    name = named if packed else "gzip"
    unpack: zlib._Decompress | None = None
    first = True
    for chunk in response.iter_raw():
        if first:
            packed = packed or chunk.startswith(_GZIP)
            first = False
            if packed:
                unpack = _unpacker(chunk)
        if unpack is None:
            yield chunk
            continue
        try:
            while chunk:
                if unpack.eof:  # gzip may have several members
                    unpack = _unpacker(chunk)
                yield unpack.decompress(chunk, 1 << 20)
                chunk = unpack.unconsumed_tail or unpack.unused_data
        except zlib.error:
            raise _broken(name) from None
    if unpack is not None and not unpack.eof:
        raise _broken(name)


def _unpacker(data: bytes) -> zlib._Decompress:
    """`deflate` is a zlib stream by the standard, and a raw one by many servers."""
    if data.startswith(_GZIP):
        return zlib.decompressobj(31)
    zlib_header = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return zlib.decompressobj(15 if zlib_header else -15)


def _broken(name: str) -> Failure:
    return Failure(f"its answer is compressed ({name}) and broken; {PLAIN_TEXT}")


def _refusal(response: httpx.Response, url: str, redact: Callable[[str], str]) -> Failure:
    status = response.status_code
    if 300 <= status < 400:
        return _redirect(status, url, response.headers.get("location", ""), redact)
    if known := ABSENT.get(status) or REFUSED.get(status):
        return Failure(f"HTTP {status}: {known}", retry_ns=ABSENT_INTERVAL_NS)
    said = plain(redact(_words(response)))
    why = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if status == 400 and "model" in said.lower() and not urlsplit(url).query:
        return ModelWanted(f"{why}; give {plain(url)}?model=NAME to --telemetry", ABSENT_INTERVAL_NS)
    return Failure(f"{why}; see the server's log")


def _redirect(status: int, url: str, location: str, redact: Callable[[str], str]) -> Failure:
    """Followed where it only adds a slash: the key must go nowhere else, the page be the one asked for."""
    try:
        there = urlsplit(urljoin(url, location))
        here = urlsplit(url)
        if there[:2] == here[:2] and there.path == f"{here.path}/" and there.query in ("", here.query):
            return Moved(here._replace(path=there.path).geturl())
        address = there.netloc.rpartition("@")[2]
        # Neither a password nor a query: they may be secret.
        shown = plain(redact(f"{there.scheme}://{address}{there.path}"))
        named = there.hostname and there.scheme in ("http", "https") and shown != plain(url)
    except ValueError:
        named = None
    advice = f"give {shown} to --telemetry" if named else RIGHT_ADDRESS
    return Failure(f"HTTP {status}: {ELSEWHERE}; {advice}", retry_ns=ABSENT_INTERVAL_NS)


def _words(response: httpx.Response) -> str:
    """What the server says of its refusal: the message of its JSON, or a short plain text; else nothing."""
    body = bytearray()
    for pieces, chunk in enumerate(response.iter_raw()):
        body += chunk
        if len(body) > MOST_REFUSAL_BYTES or pieces > MOST_REFUSAL_PIECES:
            return ""
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        return ""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<" in text or "\n" in text else text
    for key in ("error", "message", "detail"):
        while isinstance(said, dict) and key in said:
            said = said[key]
    return said if isinstance(said, str) else ""
