from __future__ import annotations

import os
import pickle
import random
import re
import threading
from pathlib import Path

import pytest

from loadgen.target import url as target_module
from loadgen.target.api_key import ApiKey, ApiKeyError, read_api_key
from loadgen.target.url import TargetError, headers, parse_target

CANARY = "sk-CANARY-7f3a"

# typed -> (host, port, tls, base path, shown, host header)
GOOD = {
    "http://localhost:8000": ("localhost", 8000, False, "", "http://localhost:8000", "localhost:8000"),
    "http://localhost:8000/": ("localhost", 8000, False, "", "http://localhost:8000", "localhost:8000"),
    "http://localhost": ("localhost", 80, False, "", "http://localhost", "localhost"),
    "http://localhost:80": ("localhost", 80, False, "", "http://localhost", "localhost"),
    "https://llm.example": ("llm.example", 443, True, "", "https://llm.example", "llm.example"),
    "https://llm.example:80": ("llm.example", 80, True, "", "https://llm.example:80", "llm.example:80"),
    "HTTP://LLM.Example:8000/V": (
        "llm.example",
        8000,
        False,
        "/V",
        "http://llm.example:8000/V",
        "llm.example:8000",
    ),
    "http://[::1]:8000": ("::1", 8000, False, "", "http://[::1]:8000", "[::1]:8000"),
    "http://h/v1": ("h", 80, False, "", "http://h", "h"),
    "http://h/v1/": ("h", 80, False, "", "http://h", "h"),
    "http://h/v1/chat/completions": ("h", 80, False, "/v1", "http://h/v1/chat/completions", "h"),
    "http://h/v1/completions": ("h", 80, False, "/v1", "http://h/v1/completions", "h"),
    "http://h/chat/completions/": ("h", 80, False, "", "http://h/chat/completions", "h"),
    "http://h/v3": ("h", 80, False, "/v3", "http://h/v3", "h"),
    "http://h/v3/models": ("h", 80, False, "/v3", "http://h/v3", "h"),
    "http://h/v1?api-version=2024-10-21": ("h", 80, False, "", "http://h?api-version=2024-10-21", "h"),
    "http://h/v1/models": ("h", 80, False, "", "http://h", "h"),
    "http://h/api/openai/v1": ("h", 80, False, "/api/openai", "http://h/api/openai", "h"),
    "http://h/api//": ("h", 80, False, "/api", "http://h/api", "h"),
    "http://h/v1beta": ("h", 80, False, "/v1beta", "http://h/v1beta", "h"),
    "http://bücher.example:81": (
        "xn--bcher-kva.example",
        81,
        False,
        "",
        "http://xn--bcher-kva.example:81",
        None,
    ),
}


@pytest.mark.parametrize("typed", GOOD)
def test_a_url_is_normalised(typed: str) -> None:
    host, port, tls, base, shown, host_header = GOOD[typed]
    target = parse_target(typed)
    address = target.address
    assert (address.host, address.port, address.tls, target.base_path, target.url) == (
        host,
        port,
        tls,
        base,
        shown,
    )
    if host_header is not None:
        assert target.host_header == host_header
    assert address.server_name == host


def parsed(typed: str) -> object:
    try:
        return parse_target(typed)
    except TargetError as error:
        return str(error)


def test_urls_that_are_read_without_httpx_are_read_as_httpx_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(20261121)
    hosts = [
        "",
        "localhost",
        "gpu-7.lan",
        "10.0.0.1",
        "127.0.0.1",
        "1.2.3",
        "256.1.1.1",
        "01.2.3.4",
        "h.",
        "-a",
    ]
    hosts += [
        "xn--bcher-kva.example",
        "a_b",
        "1e3",
        "0x7f.1",
        "A.b",
        "a..b",
        "[::1]",
        "9.9.9.9.9",
        "1.2.3.4a",
    ]
    parts = ["", "/", "/v1", "/a.b", "/..", "/.", "/a/../b", "/%41", "/~u", "/v1/models", "//", "/ü", "/a:b"]
    ports = ["", ":80", ":443", ":8000", ":0", ":99999", ":"]
    typed = {
        rng.choice(["http", "https", "HTTP"]) + "://" + rng.choice(hosts) + rng.choice(ports)
        + "".join(rng.choices(parts, k=rng.randrange(3)))
        for _ in range(3000)
    }  # fmt: skip
    plain = {url: parsed(url) for url in typed}
    assert sum(bool(target_module._PLAIN.fullmatch(url)) for url in typed) > 200
    monkeypatch.setattr(target_module, "_PLAIN", re.compile("(?!)"))
    assert plain == {url: parsed(url) for url in typed}


def test_a_unix_socket_is_a_target() -> None:
    for typed in ("unix:/run/llm.sock", "unix:///run/llm.sock"):
        target = parse_target(typed)
        assert target.address.unix_path == "/run/llm.sock"
        assert (target.url, target.host_header, target.base_path) == ("unix:/run/llm.sock", "localhost", "")


def test_trust_settings_are_kept_with_the_address() -> None:
    address = parse_target("https://h", ca_file="/ca.pem", insecure=True).address
    assert (address.ca_file, address.insecure) == ("/ca.pem", True)


BAD = {
    "": "the URL is empty, need one such as http://localhost:8000",
    "   ": "the URL is empty, need one such as http://localhost:8000",
    "localhost:8000": "localhost:8000: the URL needs a scheme: http://localhost:8000",
    "localhost": "localhost: the URL needs a scheme: http://localhost",
    "10.0.0.1:8000/v1": "10.0.0.1:8000/v1: the URL needs a scheme: http://10.0.0.1:8000/v1",
    "//h:80": "//h:80: the URL needs a scheme: http://h:80",
    "http:/h": "http:/h: the URL needs a scheme: http://h",
    "http:h": "http:h: the URL needs a scheme: http://h",
    "http:": "http:: the URL needs a scheme, such as http://localhost:8000",
    "http://": "http://: the URL names no host, need one such as http://localhost:8000",
    "https:///v1": "https:///v1: the URL names no host, need one such as https://localhost:8000",
    "http://:8000": "http://:8000: the URL names no host, need one such as http://localhost:8000",
    "ftp://h": "ftp://h: the scheme is 'ftp', need http or https",
    "http://h:abc": "http://h:abc: the port is 'abc', need a number from 1 to 65535",
    "http://h:0": "http://h:0: the port is '0', need a number from 1 to 65535",
    "http://h:": "http://h:: the port is '', need a number from 1 to 65535",
    "http://h:-1": "http://h:-1: the port is '-1', need a number from 1 to 65535",
    "http://h:99999": "http://h:99999: the port is '99999', need a number from 1 to 65535",
    "http://h:65536/v1": "http://h:65536/v1: the port is '65536', need a number from 1 to 65535",
    "http://h:８０": "http://h:８０: the port is '８０', need a number from 1 to 65535",
    "http://::1:8000": (
        "http://::1:8000: the host cannot be read; an IPv6 address stands in brackets: [::1]:8000"
    ),
    "http://[::1": "http://[::1: the host cannot be read; an IPv6 address stands in brackets: [::1]:8000",
    "http://exa mple/": "http://exa mple/: the URL has a space in it",
    " http://h": " http://h: the URL has a space in it",
    "http://h\n": "http://h\\n: the URL has a space in it",
    "http://h\x1b[2J/": "http://h\\x1b[2J/: the URL has an unprintable character in it",
    "http://h/\u202e": "http://h/\\u202e: the URL has an unprintable character in it",
    "http://h%41": "http://h%41: the host is no host name",
    "http://h..x": "http://h..x: the host is no host name",
    "http://h/?a=\u00fc": "http://h/?***: the query cannot be sent as it stands; write other characters as %XX",
    "http://h/?a=1&api_key=CANARY": (
        "http://h/?***: its query holds what may be a secret ('api_key'), and the URL is shown and kept; "
        "give it by --header or TTFTOP_API_KEY"
    ),
    "http://h/?sk-CANARY": (
        "http://h/?***: its query holds what may be a secret, and the URL is shown and kept; "
        "give it by --header or TTFTOP_API_KEY"
    ),
    "http://h/#sk-CANARY": "http://h/#***: the URL has a fragment, need it without '#'",
    "http://h/?a=1#sk-CANARY": "http://h/?***: the URL has a fragment, need it without '#'",
    "http://joe:12/CANARY@h": (
        "http://***@h: a user name or password in the URL is refused; give a key by TTFTOP_API_KEY or --api-key-file"
    ),
    "http://joe:se#CANARY@h:8000": (
        "http://***@h:8000: a user name or password in the URL is refused; "
        "give a key by TTFTOP_API_KEY or --api-key-file"
    ),
    "http://h/" + "a" * 2000: None,
    "unix:/run/\x1b[2J.sock": "unix:/run/\\x1b[2J.sock: the path of the socket has an unprintable character in it",
    "unix:": "unix:: need the absolute path of a socket: unix:/run/server.sock",
    "unix:run/s": "unix:run/s: need the absolute path of a socket: unix:/run/server.sock",
    "unix:/" + "a" * 200: None,
    "http://" + "a" * 70 + ".example": None,
    "http://[zz]": None,
    "http://[fe80::1%25eth0]:8000": (
        "http://[fe80::1%25eth0]:8000: an IPv6 zone (%) cannot be used, need an address that is valid without it"
    ),
}


@pytest.mark.parametrize("typed", BAD)
def test_a_bad_url_is_refused_in_one_clear_line(typed: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(typed)
    said = str(caught.value)
    if BAD[typed] is not None:
        assert said == BAD[typed]
    assert said.isprintable()
    assert len(said) < 300
    assert "CANARY" not in said


def test_a_long_path_goes_to_the_server_as_it_was_typed() -> None:
    path = "/p" + "a" * 1500 + "/END"
    target = parse_target(f"http://h:8000{path}/v1")
    assert target.base_path == path
    assert parse_target(target.url) == target


@pytest.mark.parametrize(
    "typed",
    [
        f"http://user:{CANARY}@h:8000",
        f"https://{CANARY}@h",
        f"user:{CANARY}@h:8000",
        f"http://h:8000/v1?api_key={CANARY}",
        f"ftp://user:{CANARY}@h",
        f"http://user:{CANARY}@h:abc",
        f"http://user:{CANARY}@ h",
    ],
)
def test_a_secret_in_a_url_is_refused_and_never_repeated(typed: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(typed)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("http://[::1]", True),
        ("unix:/s", True),
        ("http://10.0.0.1", False),
        ("http://h", False),
        ("http://localhost.example", False),
        ("http://127.example.com", False),
        ("http://127.0.0.1.nip.io", False),
        ("http://127.9.8.7", True),
        ("http://localhost.", True),
        ("http://app.localhost", True),
    ],
)
def test_a_server_on_this_machine_is_known_as_such(typed: str, loopback: bool) -> None:
    assert parse_target(typed).loopback is loopback


ROOTS = {
    "http://h": ("/v1", ""),
    "http://h/v1": ("/v1", ""),
    "http://h/openai/v1": ("/openai/v1", "/openai"),
    "http://h/openai": ("/openai/v1", "/openai"),
    "http://h/v3": ("/v3", "/v3/v1"),
    "http://h/api/paas/v4/": ("/api/paas/v4", "/api/paas/v4/v1"),
    "http://h/v1beta/openai": ("/v1beta/openai/v1", "/v1beta/openai"),
    "http://h/v1/chat/completions": ("/v1",),
    "http://h/v3/chat/completions": ("/v3",),
    "http://h/completions": ("",),
    "http://h/openai/deployments/gpt/chat/completions?api-version=1": ("/openai/deployments/gpt",),
}


@pytest.mark.parametrize("typed", ROOTS)
def test_a_path_says_where_the_api_may_begin_and_the_url_that_is_kept_says_the_same(typed: str) -> None:
    target = parse_target(typed)
    assert target.roots == ROOTS[typed]
    assert parse_target(target.url) == target
    assert target.endpoint == (
        "chat" if "/chat/" in typed else "completions" if "completions" in typed else None
    )
    assert target.request_target("/x") == "/x" + ("?api-version=1" if "?" in typed else "")


@pytest.mark.parametrize(
    ("typed", "endpoint", "roots"),
    [
        ("http://h/v1/responses", "responses", ("/v1",)),
        ("http://h/openai/v1/messages/", "messages", ("/openai/v1",)),
        (
            "http://h/openai/deployments/gpt/embeddings?api-version=1",
            "embeddings",
            ("/openai/deployments/gpt",),
        ),
        # beside the API, whose list of models is looked for all the same
        ("http://h/generate_stream", "tgi", ("/v1", "")),
        ("http://h/base/api/generate", "ollama", ("/base/v1", "/base")),
        ("http://h/api/chat", "ollama-chat", ("/v1", "")),
        ("http://h/completion", "llamacpp", ("/v1", "")),
        # no endpoint's path, but something like it
        ("http://h/api", None, ("/api/v1", "/api")),
        ("http://h/mycompletion", None, ("/mycompletion/v1", "/mycompletion")),
        ("http://h/messages/v1", None, ("/messages/v1", "/messages/v1/v1")),
    ],
)
def test_a_url_may_end_in_the_path_of_another_protocol(
    typed: str, endpoint: str | None, roots: tuple[str, ...]
) -> None:
    target = parse_target(typed)
    assert (target.endpoint, target.roots) == (endpoint, roots)
    assert parse_target(target.url) == target


def test_a_path_that_is_named_is_the_only_one() -> None:
    target = parse_target("http://h/v1", path="/v3/chat/completions")
    assert (target.path, target.endpoint, target.roots) == ("/v3/chat/completions", "chat", ("/v3",))
    target = parse_target("http://h/v1", path="/invocations")
    assert (target.path, target.endpoint, target.roots) == ("/invocations", None, ("/v1", ""))
    for whole in ("/v3/chat/completions", "/v3/chat/completions/"):
        target = parse_target("http://h", path=whole)
        assert (target.path, target.endpoint, target.roots) == (whole, "chat", ("/v3",))
    for bad in ("invocations", "/a b", "/a?b=1", "/a\n", "/\u00fc", "/" * 3000):
        with pytest.raises(TargetError, match=r"^--path: got .* need one such as /v3/chat/completions"):
            parse_target("http://h", path=bad)


def test_the_headers_of_a_request_are_exactly_these() -> None:
    made = headers(parse_target("http://h:8000"), ApiKey(CANARY, "test"))
    assert [name for name, _ in made] == [
        *("host", "content-type", "accept", "accept-encoding", "user-agent", "authorization")
    ]
    values = dict(made)
    assert values["host"] == "h:8000"
    assert values["accept"] == "text/event-stream, application/json"
    assert values["accept-encoding"] == "identity"
    assert values["user-agent"].startswith("ttftop/")
    assert values["authorization"] == f"Bearer {CANARY}"
    assert "authorization" not in dict(headers(parse_target("http://h:8000"), None))


def key_file(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_the_key_comes_from_the_file_then_from_ttftops_variable_then_from_openais(tmp_path: Path) -> None:
    both = {"TTFTOP_API_KEY": "a", "OPENAI_API_KEY": "b"}
    key = read_api_key(both, key_file(tmp_path, b"c\n"))
    assert key is not None
    assert key.reveal() == "c"
    assert key.note == "--api-key-file is used, not TTFTOP_API_KEY"
    found = read_api_key(both, None)
    assert found is not None
    assert (found.reveal(), found.source) == ("a", "TTFTOP_API_KEY")
    found = read_api_key({"TTFTOP_API_KEY": " ", "OPENAI_API_KEY": "b"}, None)
    assert found is not None
    assert (found.reveal(), found.source) == ("b", "OPENAI_API_KEY")
    assert read_api_key({}, None) is None


@pytest.mark.parametrize("data", [b"sk-1\n", b"sk-1\r\n", b"sk-1\n\n", b"sk-1"])
def test_a_line_end_behind_the_key_is_taken_off(tmp_path: Path, data: bytes) -> None:
    key = read_api_key({}, key_file(tmp_path, data))
    assert key is not None
    assert (key.reveal(), key.note) == ("sk-1", "")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_file_that_others_can_read_is_noted(tmp_path: Path, mode: int) -> None:
    key = read_api_key({}, key_file(tmp_path, b"sk-1", mode))
    assert key is not None
    assert "others can read it" in key.note


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        CANARY.encode() + b"\n" + CANARY.encode(),
        CANARY.encode() + b" x",
        CANARY.encode() + b"\xc3\xa9",
        CANARY.encode() + b"\x1b",
        b"\xef\xbb\xbf" + CANARY.encode(),
        CANARY.encode() * 400,
        b"\0" + CANARY.encode(),
    ],
)
def test_what_is_no_key_is_refused_without_being_repeated(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ApiKeyError) as caught:
        read_api_key({}, key_file(tmp_path, data))
    assert CANARY not in str(caught.value)
    assert "--api-key-file" in str(caught.value)
    if b"\xc3" in data:
        with pytest.raises(ApiKeyError) as caught:
            read_api_key({"OPENAI_API_KEY": data.decode()}, None)
        assert CANARY not in repr(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ApiKeyError, match="No such file"):
        read_api_key({}, tmp_path / "none")
    with pytest.raises(ApiKeyError, match="neither a file nor a pipe"):
        read_api_key({}, tmp_path)
    with pytest.raises(ApiKeyError, match="neither a file nor a pipe"):
        read_api_key({}, "/dev/zero")
    with pytest.raises(ApiKeyError, match="no path"):
        read_api_key({}, "a\0b")


def test_a_pipe_without_writer_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.small_file.PIPE_DEADLINE_S", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ApiKeyError, match=r"nothing came through the pipe in 0\.05 s"):
        read_api_key({}, pipe)


def test_a_key_may_come_through_a_pipe() -> None:
    reading, writing = os.pipe()
    writer = threading.Thread(
        target=lambda: (os.write(writing, b"sk-"), os.write(writing, b"1\n"), os.close(writing))
    )
    writer.start()
    try:
        key = read_api_key({}, f"/dev/fd/{reading}")
    finally:
        writer.join()
        os.close(reading)
    assert key is not None
    assert key.reveal() == "sk-1"


def test_a_key_hides_itself_from_everything_that_prints() -> None:
    key = ApiKey(CANARY, "TTFTOP_API_KEY")
    for text in (repr(key), str(key), f"{key}", f"{key!r}", repr({"key": key}), repr([key])):
        assert CANARY not in text
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert not hasattr(key, "__dict__")
