"""Who serves a port: real processes and sockets of this machine, and a /proc written by hand."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from telemetry.server_processes import process_name, server_pids

SERVER = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(listener.getsockname()[1], child.pid, flush=True)
sys.stdin.read()
child.stdin.close()
child.wait()
"""

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc here")


@needs_proc
def test_the_listener_and_its_children_are_a_ports_family():
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        port, child = map(int, process.stdout.readline().split())
        family = server_pids(port)
        process.stdin.close()
    assert family == {process.pid, child}


@needs_proc
def test_a_port_on_which_nobody_listens_has_no_family():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert server_pids(port) is None


@needs_proc
def test_a_client_of_the_port_does_not_own_it():
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        port, _ = map(int, process.stdout.readline().split())
        with socket.create_connection(("127.0.0.1", port)):
            family = server_pids(port)
        process.stdin.close()
    assert os.getpid() not in family


TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0
   1: 0000000000000000FFFF00000100007F:1F40 0000000000000000FFFF00000100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 888 1 0
"""


@pytest.fixture
def proc(tmp_path):
    """A /proc with four processes: a server on IPv6 port 8000, its grandchild, a stranger, a kernel thread."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp6").write_text(TCP6)
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to("pid:[4026531836]")
    for pid, parent, name, links in (
        (10, 1, "vllm", ["socket:[777]"]),
        (11, 10, "a) (b", []),
        (12, 11, "VLLM::Worker", ["/dev/nvidia0"]),
        (13, 1, "curl", ["socket:[888]"]),
    ):
        (tmp_path / f"{pid}/fd").mkdir(parents=True)
        for number, link in enumerate(links):
            (tmp_path / f"{pid}/fd/{number}").symlink_to(link)
        (tmp_path / f"{pid}/stat").write_text(f"{pid} ({name}) S {parent} 1 1 0")
        (tmp_path / f"{pid}/comm").write_text(f"{name}\n")
    return tmp_path


def test_descendants_are_found_through_names_with_brackets(proc):
    assert server_pids(8000, proc) == {10, 11, 12}


def test_a_listener_whose_files_may_not_be_read_is_not_guessed(proc):
    (proc / "10/fd/0").unlink()
    assert server_pids(8000, proc) is None


def test_a_name_is_the_commands(proc):
    assert (process_name(12, proc), process_name(99, proc)) == ("VLLM::Worker", "")


def test_in_a_container_only_a_process_that_holds_a_gpu_is_named(proc):
    (proc / "self/ns/pid").unlink()
    (proc / "self/ns/pid").symlink_to("pid:[4026532001]")
    assert (process_name(12, proc), process_name(13, proc)) == ("VLLM::Worker", "")


def test_a_name_cannot_steer_the_terminal(proc):
    (proc / "12/comm").write_text("x\x1b[2J\n")
    assert process_name(12, proc) == "x?[2J"
