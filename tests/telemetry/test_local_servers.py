"""Which LLM servers listen here: real sockets that answer as servers do, and a /proc written by hand."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from telemetry.local_servers import (
    MOST_PORTS,
    OLLAMA_PORT,
    USUAL_PORTS,
    USUAL_PORTS_SAID,
    Answer,
    Candidate,
    LocalServer,
    ServerWatch,
    ask_all,
    candidates,
    gpus_by_pid,
    recognised,
    with_gpus,
)

VLLM = {"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "vllm"}]}
LLAMACPP = {
    "models": [{"name": "tiny", "model": "tiny"}],
    "object": "list",
    "data": [{"id": "tiny", "object": "model", "owned_by": "llamacpp"}],
}
"""As recorded from vLLM 0.33 and llama.cpp b7000."""


def http(body: object, status: str = "200 OK", *headers: str) -> bytes:
    text = json.dumps(body).encode()
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(text)}", *headers))
    return head.encode() + b"\r\n\r\n" + text


@contextlib.contextmanager
def listening(answer: bytes, *, keep: threading.Event | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A port on which each connection gets `answer`, and what came on each; with `keep`, none is closed before."""
    heads: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                got = b""
                while b"\r\n\r\n" not in got and (piece := connection.recv(65536)):
                    got += piece
                heads.append(got)
                connection.sendall(answer)
                if keep is not None:
                    keep.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], heads
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def asked(*answers: bytes) -> list[LocalServer]:
    with contextlib.ExitStack() as opened:
        ports = [opened.enter_context(listening(answer))[0] for answer in answers]
        found = ask_all([Candidate("127.0.0.1", port) for port in ports], ask_s=5.0)
        by_port = {server.port: server for server in found}
        return [by_port[port]._replace(url="") for port in ports if port in by_port]


def test_servers_are_told_apart_by_what_they_answer():
    tgi = {"object": "list", "data": [{"id": "org/m", "object": "model", "owned_by": "org/m"}]}
    ollama = {"models": [{"name": "llama3:8b"}, {"name": "qwen:0.5b"}]}
    other = {"object": "list", "data": [{"id": "a", "owned_by": "me"}]}
    found = asked(http(VLLM), http(LLAMACPP), http(tgi), http(ollama), http(other))
    assert [(server.name, server.models) for server in found] == [
        ("vLLM", ("tiny",)),
        ("llama.cpp", ("tiny",)),
        ("TGI", ("org/m",)),
        ("Ollama", ("llama3:8b", "qwen:0.5b")),
        ("OpenAI API", ("a",)),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"-ERR unknown command\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        http({"error": "not found"}, "404 Not Found"),
        http({"data": "no list"}),
        http({"data": [1, 2]}),
        http({"data": [{"object": "no id"}]}),
        http([]),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe",
        http({}, "401 Unauthorized"),
    ],
)
def test_what_is_no_llm_server_is_left_out(answer):
    assert asked(answer) == []


def test_each_port_is_asked_once_and_gets_no_key(monkeypatch):
    monkeypatch.setenv("TTFTOP_API_KEY", "sk-secret")
    with listening(http(VLLM)) as (port, heads):
        ask_all([Candidate("127.0.0.1", port)], ask_s=5.0)
    (head,) = heads
    assert head.startswith(b"GET /v1/models HTTP/1.0\r\n")
    assert b"secret" not in head
    assert b"authorization" not in head.lower()


def test_an_answer_that_is_whole_is_not_waited_on_and_one_without_end_is_given_up():
    held = threading.Event()
    with listening(http(VLLM), keep=held) as (whole, _), listening(b"HTTP/1.1", keep=held) as (half, _):
        found = ask_all([Candidate("127.0.0.1", half), Candidate("127.0.0.1", whole)], ask_s=0.3)
        held.set()
    assert [server.port for server in found] == [whole]


def test_a_server_that_wants_a_key_is_known_by_how_it_was_started():
    refused = Answer(401, {"server": "uvicorn"}, b'{"error":"Unauthorized"}')
    assert recognised(Candidate("127.0.0.1", 8000), refused) is None
    found = recognised(Candidate("127.0.0.1", 8000, "vLLM"), refused)
    assert found == LocalServer("http://127.0.0.1:8000", "vLLM", wants_key=True)


def test_a_models_name_cannot_steer_the_terminal():
    evil = {"data": [{"id": "m\x1b[2J\u202e", "owned_by": "vllm"}]}
    found = recognised(Candidate("127.0.0.1", 8000), Answer(200, {}, json.dumps(evil).encode()))
    assert found is not None
    assert found.models == ("m?[2J?",)


def test_the_simulator_says_that_it_is_one(simulator_url):
    port = int(simulator_url.rpartition(":")[2])
    (found,) = ask_all([Candidate("127.0.0.1", port)], ask_s=5.0)
    assert (found.simulated, found.name) == (True, "simulator")


# -- which ports are asked ------------------------------------------------------------------------------------

LINE = "   0: {address}:{port:04X} 00000000:0000 {state} 0:0 0:0 0 0 0 {inode} 1 0\n"
ANY, LOOPBACK, OTHER = "00000000", "0100007F", "0500000A"


def proc_with(path, listeners, processes=()):
    """A /proc with sockets `(address, port, inode, state)` and processes `(pid, command line, inodes)`."""
    (path / "net").mkdir()
    rows = "".join(LINE.format(address=a, port=p, inode=i, state=s) for a, p, i, s in listeners)
    (path / "net/tcp").write_text("  sl  local_address ...\n" + rows)
    for pid, typed, inodes in processes:
        (path / f"{pid}/fd").mkdir(parents=True)
        (path / f"{pid}/cmdline").write_bytes("\0".join(typed).encode() + b"\0")
        (path / f"{pid}/stat").write_text(f"{pid} (x) S 1 1 1 0")
        for number, inode in enumerate(inodes):
            (path / f"{pid}/fd/{number}").symlink_to(f"socket:[{inode}]")
    return path


def test_a_port_is_asked_where_servers_listen_or_where_one_was_started(tmp_path):
    proc = proc_with(
        tmp_path,
        [
            (ANY, 22, 1, "0A"),
            (LOOPBACK, 6379, 2, "0A"),
            (ANY, 8000, 3, "0A"),
            (OTHER, 8001, 4, "0A"),  # another address than loopback
            (LOOPBACK, 8002, 5, "01"),  # a connection
            (LOOPBACK, 9999, 6, "0A"),
            (LOOPBACK, 45678, 7, "0A"),
            (
                LOOPBACK,
                45679,
                8,
                "0A",
            ),  # a port that the kernel gave the same process: its workers' rendezvous
            (LOOPBACK, OLLAMA_PORT, 9, "0A"),
            (LOOPBACK, 5555, 10, "0A"),
            (LOOPBACK, 18733, 11, "0A"),
            (LOOPBACK, 7777, 12, "0A"),
            (LOOPBACK, 80, 13, "0A"),  # a service of the machine
            (LOOPBACK, 40001, 14, "0A"),  # a port that the kernel gave
        ],
        [
            (10, ["python", "-m", "sglang.launch_server", "--port", "9999"], [6]),
            (11, ["vllm", "serve", "m", "--port=45678"], [7, 8]),
            (12, ["python", "train.py", "a", "b", "c", "d", "ask", "vllm"], [10]),
            (13, ["/v/bin/python", "/v/bin/ttftop", "simulate", "--port", "18733"], [11]),
            (14, ["python", "-m", "uvicorn", "mine:app", "--port", "7777"], [12, 14]),
            (15, ["vllm", "serve", "m", "--port", "80"], [13]),
        ],
    )
    assert candidates(proc) == [
        Candidate("127.0.0.1", 7777),
        Candidate("127.0.0.1", 8000),
        Candidate("127.0.0.1", 9999, "SGLang"),
        Candidate("127.0.0.1", OLLAMA_PORT),
        Candidate("127.0.0.1", 18733, "simulator"),
        Candidate("127.0.0.1", 45678, "vLLM"),
    ]


def test_a_database_and_the_rendezvous_of_a_training_job_are_left_in_peace_whatever_their_words(tmp_path):
    typed = [
        "python finetune.py --model openai/gpt-oss-20b",
        "python train.py --out /data/ollama/x --master-port 29501",
        "postgres -D /home/openai/pg",
        "redis-server /srv/uvicorn/redis.conf",
    ]
    rows = [(LOOPBACK, port, port, "0A") for port in (29500, 29501, 5432, 6379)]
    started = [(10 + n, line.split(), [rows[n][1]]) for n, line in enumerate(typed)]
    assert candidates(proc_with(tmp_path, rows, started)) == []


def test_where_there_are_too_many_those_that_are_known_to_be_servers_are_asked(tmp_path):
    webs = [(LOOPBACK, 4000 + i, i, "0A") for i in range(MOST_PORTS)]
    rows = [*webs, (LOOPBACK, 8000, 900, "0A"), (LOOPBACK, 9000, 901, "0A")]
    started = [(10, ["uvicorn"], range(MOST_PORTS)), (11, ["vllm", "serve", "m"], [901])]
    asked = {one.port for one in candidates(proc_with(tmp_path, rows, started))}
    assert {8000, 9000} < asked
    assert len(asked) == MOST_PORTS


def test_the_ports_that_are_said_are_those_that_are_asked():
    spans = [span.split("-") for span in USUAL_PORTS_SAID.split()]
    assert [port for span in spans for port in range(int(span[0]), int(span[-1]) + 1)] == list(USUAL_PORTS)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("0" * 32, "127.0.0.1"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
        ("B80D0120000000000000000001000000", None),
    ],
)
def test_an_address_of_ipv6_is_reached_by_loopback_or_not_at_all(tmp_path, address, host):
    proc = proc_with(tmp_path, [])
    (proc / "net/tcp6").write_text("sl\n" + LINE.format(address=address, port=8000, inode=1, state="0A"))
    assert [one.host for one in candidates(proc)] == ([] if host is None else [host])


def test_a_real_listener_is_found_by_the_port_that_its_command_line_names(tmp_path):
    """On the real /proc, where there is one: this test's own process was not started as a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listener.getsockname()[1] not in {one.port for one in candidates()}


def test_from_look_to_look_only_what_is_new_is_asked_and_what_is_gone_is_left_out(tmp_path):
    models = http({"data": [{"id": "m", "owned_by": "vllm"}]})
    loading = http({"error": "loading model"}, "503 Service Unavailable")
    with listening(models) as (first, asked_first), listening(loading) as (second, asked_second):
        started = [(10, ["vllm", "serve", str(first)], [1]), (11, ["llama-server", str(second)], [2])]
        proc = proc_with(tmp_path, [(LOOPBACK, first, 1, "0A")], started)
        watch = ServerWatch(proc)
        assert [one.port for one in watch.look()] == [first]
        rows = [
            LINE.format(address=LOOPBACK, port=p, inode=i, state="0A") for p, i in ((first, 1), (second, 2))
        ]
        (proc / "net/tcp").write_text("head\n" + "".join(rows))
        assert [[one.port for one in watch.look_again()] for _ in range(2)] == [[first], [first]]
        assert (len(asked_first), len(asked_second)) == (1, 2)  # the second may still be loading
        (proc / "net/tcp").write_text("head\n" + rows[1])
        assert watch.look_again() == []
        assert len(watch.look()) == 0
        assert len(asked_first) == 1


# -- GPUs -----------------------------------------------------------------------------------------------------


def test_a_server_is_given_the_gpus_of_its_processes(tmp_path):
    proc = proc_with(
        tmp_path,
        [(ANY, 8000, 3, "0A"), (ANY, 8001, 4, "0A")],
        [(10, ["vllm"], [3]), (20, ["vllm"], [4])],
    )
    (proc / "11").mkdir()
    (proc / "11/stat").write_text("11 (VLLM::Worker) S 10 1 1 0")
    servers = [LocalServer(f"http://127.0.0.1:{port}", "vLLM") for port in (8000, 8001)]
    found = with_gpus(servers, {11: ["GPU 0"], 10: ["GPU 1", "GPU 0"], 99: ["GPU 7"]}, proc)
    assert [server.gpus for server in found] == [("GPU 1", "GPU 0"), ()]


def test_nvml_says_which_process_computes_where(nvml):
    nvml.says(f"count 2;pid1.0 {os.getpid()}")
    assert gpus_by_pid()[os.getpid()] == ["GPU 0"]


def test_where_listeners_cannot_be_read_the_usual_ports_of_loopback_are_asked(tmp_path):
    asked = candidates(tmp_path)
    assert {one.host for one in asked} == {"127.0.0.1"}
    assert [one.port for one in asked] == list(USUAL_PORTS)
