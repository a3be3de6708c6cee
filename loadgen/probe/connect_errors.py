"""The cause of a failed HTTP request in one line: httpx itself names neither address nor reason."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx

from loadgen.target.url import Target

_CURES = {
    9: "is this machine's clock right? else --insecure",
    10: "it has to be renewed; until then --insecure",
    62: "ask for it by the name that it is for, or use --insecure",
    64: "ask for it by the name that it is for, or use --insecure",
}
"""By OpenSSL's verify code (x509_vfy.h), where no --ca would help."""


def explain(error: BaseException, target: Target) -> str:
    """One line for a failure on the way to an answer, not yet made safe to print."""
    chain = list(_chain(error))
    host = target.hop.host
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            cure = _CURES.get(cause.verify_code, "use --ca FILE or --insecure")
            return f"its certificate cannot be verified ({cause.verify_message.rstrip('.')}): {cure}"
        if isinstance(cause, ssl.SSLError):
            why = (cause.reason or str(cause)).lower().replace("_", " ")
            hint = "; is it http://?" if "wrong version" in why or "record layer" in why else ""
            return f"the TLS handshake failed ({why}){hint}"
        if isinstance(cause, socket.gaierror):
            return f"the name {host} cannot be resolved"
        unix = target.address.unix_path
        if isinstance(cause, ConnectionRefusedError) and unix is not None and not _is_socket(unix):
            return "there is something else than a socket"
        if isinstance(cause, ConnectionRefusedError):
            what = "server" if target.proxy is None else f"proxy at {host}:{target.proxy.port}"
            return f"connection refused; is the {what} running?"
        if isinstance(cause, FileNotFoundError) and target.address.unix_path is not None:
            return "there is no such socket; is the server running?"
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL):
            return f"this machine ran out of file descriptors or ports ({cause.strerror})"
    if isinstance(error, httpx.ProxyError):
        if str(error).startswith("407"):
            return "the proxy wants a user name or password (HTTP 407), and none is sent"
        return f"the proxy refused a tunnel: HTTP {error}"
    if isinstance(error, (httpx.ConnectError, OSError)):
        reasons = [_words(cause) for cause in chain if isinstance(cause, OSError) and _words(cause)]
        return f"the connection failed ({reasons[-1] if reasons else error})"
    if isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError)):
        tail = "" if target.address.tls or target.address.unix_path else "; does it want https?"
        if "without sending a response" in str(error) or isinstance(error, httpx.ReadError):
            return f"the server closed the connection without a complete answer{tail}"
        return f"the answer is not valid HTTP ({error}){tail}"
    return f"the request failed ({type(error).__name__}: {error})"


def _words(error: OSError) -> str:
    """The system's, not asyncio's, which has the address as Python writes it."""
    if error.errno is not None and (error.strerror or "").startswith("Connect call failed"):
        return os.strerror(error.errno)
    return error.strerror or ""


def _is_socket(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except OSError:
        return True


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, what caused it, and all of a group."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.extend(getattr(current, "exceptions", ()))
        waiting.extend(cause for cause in (current.__cause__, current.__context__) if cause is not None)
