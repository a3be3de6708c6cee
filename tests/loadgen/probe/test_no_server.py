"""No server, or another one than was meant, is said in one line."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from loadgen.probe.probe import ProbeError, ProbeResult
from loadgen.transport.connection import SocketAddress
from loadgen.worker_config import Deadlines
from tests.loadgen.probe.probe_runs import asking, failure
from tests.loadgen.probe.servers import DONE, Asked, Reply, Vllm, as_json, models, serving, stream

FAILURES: dict[str, tuple[Callable[[Asked], Reply], str]] = {
    "web page": (
        lambda asked: Reply(200, b"<!DOCTYPE html><html>hi</html>", "text/html"),
        "URL: not an OpenAI-compatible server: /v1/models answers with a web page",
    ),
    "web page of an error": (
        lambda asked: Reply(502, b"<html>Bad Gateway</html>", "text/html"),
        "URL: /v1/models answers HTTP 502 (a proxy answers, the server behind it does not; is it up yet?) "
        "(a web page)",
    ),
    "not found at all": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else as_json({"detail": "Not Found"}, 404)
        ),
        "URL: not an OpenAI-compatible server: /v1/completions and /v1/chat/completions answer HTTP 404; "
        "if it speaks another protocol, name that with --endpoint",
    ),
    "web page where streams should be": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else Reply(200, b"<html>", "text/html")
        ),
        "URL: not an OpenAI-compatible server: it answers with a web page",
    ),
    "JSON instead of a stream": (
        lambda asked: as_json(models("small")) if asked.method == "GET" else as_json({"choices": []}),
        "URL: the answer is no event stream (application/json); need a server that streams",
    ),
    "still loading": (
        lambda asked: as_json({"error": {"message": "Loading model", "code": 503}}, 503),
        "URL: the server takes no requests now (HTTP 503) (Loading model); if it is only the list that it "
        "refuses, name the model with --model",
    ),
    "too many requests": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else as_json({"error": "slow down"}, 429)
        ),
        "URL: the server takes no requests now (HTTP 429) (slow down)",
    ),
    "redirect": (
        lambda asked: Reply(307, b"", headers={"location": "http://127.0.0.1:1/v1/models?key=x"}),
        "URL: it redirects to http://127.0.0.1:1/v1/models (HTTP 307); redirects are not followed, use that URL",
    ),
    "redirect of the stream": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else Reply(308, headers={"location": "/x"})
        ),
        "URL: it redirects to /x (HTTP 308); redirects are not followed, use that URL",
    ),
    "redirect of the stream that adds a slash": (
        lambda asked: (
            as_json(models("small"))
            if asked.method == "GET"
            else Reply(307, headers={"location": f"http://{asked.headers['host']}{asked.path}/"})
        ),
        "URL: it redirects to URL/v1/completions/ (HTTP 307); redirects are not followed, "
        "give --path /v1/completions/",
    ),
    "redirect of the list that adds a slash": (
        lambda asked: Reply(307, headers={"location": "/v1/models/"}),
        "URL: it redirects to /v1/models/ (HTTP 307); redirects are not followed, "
        "if it is only the list that it refuses, name the model with --model",
    ),
    "empty stream": (
        lambda asked: as_json(models("small")) if asked.method == "GET" else stream([DONE]),
        "URL: the stream ended without a token and without saying why",
    ),
    "all tokens hidden": (
        lambda asked: (
            as_json(models("small"))
            if asked.method == "GET"
            else stream([{"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 4}}, DONE])
        ),
        "URL: it counted 4 output tokens and showed none of them (hidden reasoning?): nobody could tell when a "
        "token comes",
    ),
    "error with escapes in it": (
        lambda asked: (
            as_json(models("small")) if asked.method == "GET" else as_json({"error": "a\x1b[2J\u202eb"}, 418)
        ),
        "URL: the server refuses what it is asked: /v1/completions answers HTTP 418: a\\x1b[2J\\u202eb; "
        "/v1/chat/completions answers HTTP 418: a\\x1b[2J\\u202eb",
    ),
    "closed without an answer": (
        lambda asked: Reply(raw=b""),
        "URL: the server closed the connection without a complete answer; does it want https?",
    ),
    "cut in the middle": (
        lambda asked: (
            as_json(models("small"))
            if asked.method == "GET"
            else Reply(
                raw=b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\ndata: "
            )
        ),
        None,
    ),
    "no HTTP": (lambda asked: Reply(raw=b"220 mail ready\r\n\r\n"), None),
    "endless answer": (
        lambda asked: Reply(200, b"x" * (17 << 20)),
        "URL: /v1/models answers with more than 16 MiB",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_is_no_llm_server_is_said_in_one_line(name: str) -> None:
    server, want = FAILURES[name]
    code, message = failure(server)
    assert code == 3
    if want is None:
        assert (
            message.startswith("URL: the answer is not valid HTTP") or "without a complete answer" in message
        )
    else:
        assert message == want


def refused_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return int(probe_socket.getsockname()[1])


def error_at(url: str, **options: Any) -> str:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(asking(url, [], **options))
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_a_closed_port_is_named() -> None:
    url = f"http://127.0.0.1:{refused_port()}"
    assert error_at(url) == f"{url}: connection refused; is the server running?"


def test_a_server_whose_packets_get_lost_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        for _ in range(4):  # nobody accepts them: once two are waiting, the kernel drops whoever asks next
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert error_at(url, deadlines=Deadlines(connect_s=0.2)) == f"{url}: no connection after 0.2 s"


def test_a_name_with_several_addresses_all_refusing_is_refused() -> None:
    url = f"http://localhost:{refused_port()}"
    assert error_at(url) == f"{url}: connection refused; is the server running?"


def test_a_missing_unix_socket_is_named(tmp_path: Path) -> None:
    url = f"unix:{tmp_path}/none"
    assert error_at(url) == f"{url}: there is no such socket; is the server running?"


def test_something_else_than_a_socket_is_said(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no socket", encoding="utf-8")
    assert error_at(f"unix:{plain}") == f"unix:{plain}: there is something else than a socket"


def test_a_name_that_does_not_resolve_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert error_at("http://gpu7:8000") == "http://gpu7:8000: the name gpu7 cannot be resolved (no such name)"


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.probe.client.QUESTION_S", 0.2)
    code, message = failure(lambda asked: Reply(hang=True))
    assert (code, message) == (3, "URL: no answer within 0.2 s; is the server stuck?")


def test_certificates_are_verified_unless_told_otherwise(tmp_path: Path) -> None:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    async def run() -> None:
        async with serving(Vllm(), ssl_context=server_side) as served:
            with pytest.raises(ProbeError, match=r"certificate cannot be verified .*--ca FILE or --insecure"):
                await asking(served.url, [])
            assert (await asking(served.url, [], ca_file=str(ca_file))).model == "small"
            assert (await asking(served.url, [], insecure=True)).model == "small"
            with pytest.raises(ProbeError) as caught:
                await asking(served.url, [], ca_file=str(tmp_path / "none"))
            assert caught.value.exit_code == 2
            assert "No such file" in str(caught.value)
            with pytest.raises(ProbeError, match="does it want https"):
                await asking(served.url.replace("https", "http"), [])
        async with serving(Vllm()) as served:
            with pytest.raises(ProbeError, match=r"TLS handshake failed .*is it http://"):
                await asking(served.url.replace("http", "https"), [])

    asyncio.run(run())


def test_the_advice_for_a_bad_certificate_is_what_would_help(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    another, expired = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    authority.issue_cert("llm.example").configure_cert(another)
    authority.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(expired)
    no_certificate = tmp_path / "key.pem"
    no_certificate.write_text("-----BEGIN NOTHING-----", encoding="ascii")

    async def run() -> None:
        for server_side, words in ((another, "ask for it by the name"), (expired, "it has to be renewed")):
            async with serving(Vllm(), ssl_context=server_side) as served:
                with pytest.raises(ProbeError, match=words) as caught:
                    await asking(served.url, [], ca_file=str(ca_file))
                assert "--ca FILE" not in str(caught.value)
                with pytest.raises(ProbeError, match="it holds no certificate in PEM form"):
                    await asking(served.url, [], ca_file=str(no_certificate))

    asyncio.run(run())


def test_a_name_is_looked_up_once_and_the_load_goes_to_the_addresses_that_answer() -> None:
    async def run() -> tuple[ProbeResult, list[str], int]:
        notes: list[str] = []
        asked = 0
        async with serving(Vllm()) as served:

            async def resolver(host: str, port: int) -> list[SocketAddress]:
                nonlocal asked
                asked += 1
                assert (host, port) == ("rr.test", 8000)
                return [(socket.AF_INET, (ip, served.port)) for ip in ("127.0.0.2", "127.0.0.1")]

            return await asking("http://rr.test:8000", notes, resolver=resolver), notes, asked

    found, notes, asked = asyncio.run(run())
    assert (found.addresses, found.left_out, asked) == (("127.0.0.1",), ("127.0.0.2",), 1)
    assert notes == ["rr.test has 2 addresses; left out: 127.0.0.2 (connection refused)"]


def test_a_name_with_several_addresses_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*hosts: str) -> list[Any]:
        async def run() -> list[str]:
            notes: list[str] = []
            async with serving(Vllm()) as served:
                answer = [
                    (
                        socket.AF_INET6 if ":" in host else socket.AF_INET,
                        socket.SOCK_STREAM,
                        6,
                        "",
                        (host, served.port),
                    )
                    for host in hosts
                ]
                monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
                await asking("http://rr.test:8000", notes)
            return notes

        return asyncio.run(run())

    assert found("127.0.0.1", "127.0.0.2") == [
        "rr.test has 2 addresses; left out: 127.0.0.2 (connection refused)"
    ]
    assert found("127.0.0.1", "::1") == []
    assert found("127.0.0.1") == []
