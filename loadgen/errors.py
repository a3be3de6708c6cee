"""Why a request failed, as words: the kinds there are, and server text made safe to keep and to print."""

from __future__ import annotations

import re

ERROR_KINDS: dict[str, str] = {
    "dns": "the server's name could not be resolved",
    "connect_refused": "nothing listens at the address",
    "connect_timeout": "no connection within the deadline",
    "connect_failed": "the connection could not be made",
    "tls": "the TLS handshake failed",
    "no_descriptors": "this machine ran out of file descriptors: raise `ulimit -n`, or have less in flight",
    "no_ports": "this machine ran out of ports for connections: less in flight, or fewer new ones",
    "no_memory": "this machine ran out of memory for its sockets",
    "no_network": "this machine has no network on which to reach the server",
    "proxy": "the proxy on the way to the server cannot be reached",
    "not_permitted": "this machine does not permit the connection (a firewall or a sandbox)",
    "http_400": "the server refused the request (HTTP 400)",
    "http_401": "the server wants a key (HTTP 401)",
    "http_403": "the server forbids this key (HTTP 403)",
    "http_404": "no such path or model (HTTP 404)",
    "http_406": "the server, or a gateway before it, dislikes what is accepted (HTTP 406)",
    "http_413": "the request was larger than the server, or a proxy before it, takes (HTTP 413)",
    "http_415": "the server, or a gateway before it, dislikes the body's type (HTTP 415)",
    "http_422": "the server refused a field of the request (HTTP 422)",
    "http_500": "the server failed inside (HTTP 500)",
    "http_502": "a gateway could not reach the server (HTTP 502)",
    "http_504": "a gateway gave up on the server (HTTP 504)",
    "rejected": "the server was too busy to take the request (HTTP 429 or 503)",
    "server_stream_error": "the server sent an error inside the stream, after HTTP 200",
    "not_sse": "the answer was HTTP 200 but no event stream that can be read as it comes",
    "cut_mid_stream": "the connection was lost before the answer was whole",
    "truncated": "the stream ended cleanly without a finish reason",
    "no_tokens": "the stream ended without a single token",
    "no_embedding": "the answer was HTTP 200 but held no embedding",
    "tokens_hidden": "the server counted output tokens and showed none of them (hidden reasoning?)",
    "aborted": "the server gave up the request (finish_reason abort)",
    "bad_response": "the answer was not valid HTTP",
    "headers_timeout": "no response headers within the deadline",
    "first_token_timeout": "no first token within the deadline",
    "gap_timeout": "too long a pause between tokens",
    "total_timeout": "the request took longer than its deadline",
    "body_too_large": "the answer was larger than the client accepts",
    "unfinished": "still running when the run ended",
    "lost_record": "its record is lost, and with it how it ended",
}
"""Every kind a `RequestError` may have, beside `http_NNN` for any other HTTP status."""

MACHINE_KINDS = frozenset({"no_descriptors", "no_ports", "no_memory", "no_network", "not_permitted"})
"""Failures for want of something on the machine that sends the load."""
CLIENT_KINDS = MACHINE_KINDS | {"proxy"}
"""Failures on this side of the server: none of them says anything of it."""

_HTTP = re.compile(r"http_([0-9]{1,3})\Z")

_SAID = re.compile(r'"(?:message|detail|error|msg)"\s*:\s*"((?:[^"\\]|\\.)*)')
_TITLE = re.compile(r"<title>\s*([^<]*)", re.IGNORECASE)
_ID = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}|(?:chatcmpl|cmpl|req|request)[-_][0-9a-z-]{6,}"
    r"|(?=[0-9a-f]*[0-9])[0-9a-f]{12,})\b",
    re.IGNORECASE,
)
_QUOTED = frozenset({"rejected", "server_stream_error", "not_sse", "aborted"})
"""Kinds beside those of an HTTP status whose message is the server's."""
GIST_CHARS = 160

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def http_kind(status: int) -> str:
    """The error kind of an HTTP status other than 200: `rejected` for 429 and 503, else `http_NNN`."""
    return "rejected" if status in (429, 503) else f"http_{status}"


def describe(kind: str) -> str:
    """One plain sentence for an error kind, also for an `http_NNN` that `ERROR_KINDS` does not list."""
    if kind in ERROR_KINDS:
        return ERROR_KINDS[kind]
    status = _HTTP.match(kind)
    return f"the server answered HTTP {status[1]}" if status else printable(kind, 80)


def gist(message: str) -> str:
    """What a message says, so that failures for one reason say the same: of JSON its words, of a web page its
    title; numbers of requests are `…`. `message` is printable, and so is what is returned: `GIST_CHARS` of it
    at most.
    """
    said = message.strip()
    if said.startswith("{") and (found := _SAID.search(said)):
        said = found[1].replace('\\"', '"').replace("\\n", " ")
    elif said.startswith("<"):
        found = _TITLE.search(said)
        said = f"a web page: {found[1].strip()}" if found and found[1].strip() else "a web page"
    said = _ID.sub("…", " ".join(said.split()))
    return said if len(said) <= GIST_CHARS else said[: GIST_CHARS - 1] + "…"


def cause_words(kind: str, text: str) -> str:
    """A cause of failures in words: `HTTP 500 "model not loaded"`, `no first token within the deadline`."""
    status = _HTTP.match(kind)
    name = f"HTTP {status[1]}" if status else describe(kind)
    if not text:
        return describe(kind)
    if status or kind in _QUOTED:
        return f'{name} "{text}"'
    return f"{name} ({text})"


def _visible(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def printable(text: str, limit: int = 200) -> str:
    """`text` in one line of at most `limit` characters that no terminal interprets.

    Controls (C0, DEL, C1), bidi and zero-width characters and lone surrogates become visible escapes
    such as `\\x1b`; what is cut off is shown by `…`.
    """
    safe = _UNSAFE.sub(_visible, text[: limit + 1])
    return safe if len(safe) <= limit and len(text) <= limit else safe[: limit - 1] + "…"
