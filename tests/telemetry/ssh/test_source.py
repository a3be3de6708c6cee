"""Another node over ssh: a real `ssh` on PATH that runs the command here; the poller is the real one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from telemetry.poller import Poller
from telemetry.records import GpuDevices, GpuEvent, GpuSamples, HostSample, SourceNote
from telemetry.source import TelemetryError
from telemetry.source_spec import Node, parse_node
from telemetry.ssh.command import LOOK_THERE, OPTIONS, command
from telemetry.ssh.source import SshSource


@pytest.mark.parametrize(
    ("word", "address"),
    [
        ("ssh://node2", Node("node2")),
        ("ssh://me@node2:2222", Node("node2", "me", 2222)),
        ("ssh://node-2.cluster.example/", Node("node-2.cluster.example")),
        ("ssh://10.0.0.7", Node("10.0.0.7")),
        ("ssh://me@[fe80::1]:22", Node("fe80::1", "me", 22)),
    ],
)
def test_an_address_is_user_host_and_port(word, address):
    assert parse_node(word) == address


@pytest.mark.parametrize(
    "word",
    [
        "ssh://",
        "ssh:node2",
        "ssh://-oProxyCommand=evil",
        "ssh://-me@node2",
        "ssh://node2;reboot",
        "ssh://node2 reboot",
        "ssh://$(reboot)",
        "ssh://`reboot`",
        "ssh://node2:0",
        "ssh://node2:70000",
        "ssh://node2/etc",
        "ssh://node2\nreboot",
    ],
)
def test_what_is_no_address_is_one_line_with_what_is_allowed(word):
    with pytest.raises(TelemetryError) as caught:
        parse_node(word)
    assert str(caught.value).endswith("allowed is ssh://[user@]host[:port]")
    assert "\n" not in str(caught.value)


def test_a_password_is_refused_and_not_shown():
    with pytest.raises(TelemetryError, match="must not hold a password") as caught:
        parse_node("ssh://me:sesame@node2")
    assert "sesame" not in str(caught.value)


def test_the_command_asks_no_password_and_quotes_for_the_shell_there():
    argv = command(Node("node2", "me", 2222), "http://head:8000/a b;reboot")
    assert argv[0] == "ssh"
    assert argv[argv.index("-p") + 1] == "2222"
    assert argv[argv.index("-l") + 1] == "me"
    assert [argv[i + 1] for i, word in enumerate(argv) if word == "-o"] == list(OPTIONS)
    assert argv[-3:-1] == ["--", "node2"]
    assert argv[-1].startswith("exec sh -c '")
    assert argv[-1].endswith("' sh --answer --target 'http://head:8000/a b;reboot'")
    # Whatever shell reads it there: no quotes within the quotes, one line.
    assert argv[-1].count("'") == 4
    assert "\n" not in argv[-1]


class Clock:
    """Ours, with an origin of its own."""

    def __init__(self):
        self._origin_ns = time.monotonic_ns()

    def __call__(self):
        return time.monotonic_ns() - self._origin_ns


def messages(records):
    return [(record.ok, record.message) for record in records if isinstance(record, SourceNote)]


def followed(source, clock, kind, most_s=30):
    """Records of opening and sampling, until one of `kind` is there."""
    records = source.open(clock)
    deadline = time.monotonic() + most_s
    while not any(isinstance(record, kind) for record in records):
        assert time.monotonic() < deadline, records
        time.sleep(0.02)
        records += source.sample(clock)
    return records


def two_of(records, source, clock, most_s=30):
    """The records, and those of sampling until there are two."""
    deadline = time.monotonic() + most_s
    while len(records) < 2:
        assert time.monotonic() < deadline, records
        records = records + source.sample(clock)
    return records


def test_another_nodes_gpus_come_on_our_clock_with_its_name(fake_ssh, nvml, monkeypatch):
    ssh = fake_ssh()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(nvml.library.parent))
    nvml.says("count 8; util.5 42")
    clock = Clock()
    source = SshSource(Node("node2", "me"))
    before_ns = clock()
    records = followed(source, clock, HostSample)
    later_ns = clock()
    source.close()
    args = Path(f"{ssh}.args").read_text()
    assert "-l me -- node2 exec sh -c " in args
    assert args.endswith(" sh --answer\n")
    first, *rest = messages(records)
    assert first[0]
    assert first[1].startswith("ssh node2: runs our poller; its clock is known within ")
    assert rest == [(True, "node2: NVML: 8 GPUs (8 x Fake GPU?[31m), driver 999.1")]
    samples = [record for record in records if isinstance(record, GpuSamples)]
    assert {record.source for record in samples} == {"ssh node2 nvml"}
    assert samples[0].gpus[5].util_pct == 42
    (devices,) = [record for record in records if isinstance(record, GpuDevices)]
    assert devices.devices[0].host == os.uname().nodename
    times = [record.t_ns for record in samples]
    assert times == sorted(times)
    # Its clock began when its process did: mapped, its samples lie between our start and now.
    assert before_ns < times[0] <= times[-1] < later_ns


def test_keys_without_uuid_are_told_apart_by_the_node(fake_ssh, nvml, monkeypatch):
    fake_ssh()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(nvml.library.parent))
    nvml.says("count 1; error.nvmlDeviceGetUUID 999")
    source = SshSource(Node("node2"))
    records = followed(source, Clock(), GpuSamples)
    source.close()
    keys = {gpu.gpu for record in records if isinstance(record, GpuSamples) for gpu in record.gpus}
    assert keys == {"node2 nvml#0"}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo 'me@node2: Permission denied (publickey).' >&2; exit 255",
            "ssh node2: cannot connect (me@node2: Permission denied (publickey).); need ssh node2 true to get in by "
            "a key, without a question; tried again every 30 s",
        ),
        (
            "echo 'ssh: Could not resolve hostname node2' >&2; exit 255",
            "ssh node2: cannot connect (ssh: Could not resolve hostname node2); need ssh node2 true to get in by a "
            "key, without a question; tried again every 30 s",
        ),
        (
            "echo '/usr/bin/python3: No module named telemetry' >&2; exit 1",
            "ssh node2: no ttftop there: neither in its python3, nor as a command on the PATH of a login or in "
            "~/.local/bin; need it installed there (pip, pipx, uv); tried again every 30 s",
        ),
        (
            "echo 'sh: python3: not found' >&2; exit 127",
            "ssh node2: no python3 there (sh: python3: not found); need Python 3.10 or later, with ttftop in it; "
            "tried again every 30 s",
        ),
        ("exit 3", f"ssh node2: the poller there ended with code 3; {LOOK_THERE}; tried again every 30 s"),
        (
            "printf 'Welcome \\033[2J\\n'; exit 0",
            f"ssh node2: the poller there ended (Welcome ?[2J); {LOOK_THERE}; tried again every 30 s",
        ),
        (
            """echo '{"kind":"hello","version":99}'; sleep 5""",
            "ssh node2: its ttftop speaks version 99, ours 1; need the same ttftop on both; tried again every 30 s",
        ),
    ],
)
def test_each_way_of_having_no_poller_there_is_one_sentence(fake_ssh, script, sentence):
    fake_ssh(script)
    source = SshSource(Node("node2"))
    assert messages(source.open(Clock())) == [(False, sentence)]
    source.close()


def test_no_ssh_on_this_machine_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    source = SshSource(Node("node2"))
    assert messages(source.open(Clock())) == [
        (
            False,
            "ssh node2: there is no ssh on the PATH here; need the client of OpenSSH; tried again every 30 s",
        )
    ]


ANSWERS = """
echo '{"kind":"hello","version":1,"host":"n"}'
began=$(date +%s%N)
while read word number; do
  echo "{\\"kind\\":\\"clock\\",\\"echo\\":$number,\\"t_ns\\":$(($(date +%s%N) - began))}"
  [ "$number" = 5 ] && break
done
"""


def test_a_node_that_goes_away_is_told_once_and_is_back_when_it_answers(fake_ssh):
    fake_ssh(ANSWERS + "echo 'Connection to node2 closed.' >&2; exit 255")

    class Jumps(Clock):
        ahead_ns = 0

        def __call__(self):
            return super().__call__() + self.ahead_ns

    clock = Jumps()
    source = SshSource(Node("node2"))
    said = two_of(followed(source, clock, SourceNote), source, clock)
    assert messages(said)[1] == (
        False,
        "ssh node2: cannot connect (Connection to node2 closed.); need ssh node2 true to get in by a key, without a "
        "question; tried again every 30 s",
    )
    assert source.sample(clock) == []
    fake_ssh(ANSWERS + "read wait")
    clock.ahead_ns = 31_000_000_000
    (again,) = messages(source.sample(clock))
    assert again[0]
    assert again[1].startswith("ssh node2: answers again; ")
    source.close()


def test_a_nodes_words_are_made_safe_and_its_lines_that_are_none_are_passed_over(fake_ssh):
    line = '{"kind":"source","t_ns":2000,"source":"nvml\\u001b[2J","ok":true,"message":"hi \\u001b[31m"}'
    fake_ssh(ANSWERS + f'echo garbage; cat <<\'END\'\n{line}\n{{"kind":"gpu"}}\nEND\nread wait')
    clock = Clock()
    source = SshSource(Node("node2"))
    records = two_of(followed(source, clock, SourceNote), source, clock)
    source.close()
    assert records[1].source == "ssh node2 nvml?[2J"
    assert records[1].message == "node2: hi ?[31m"


def test_what_happens_to_a_gpu_without_uuid_is_told_apart_by_the_node(fake_ssh):
    line = '{"kind":"gpu_event","t_ns":2000,"source":"nvml","gpu":"nvml#0","event":"xid","code":79}'
    fake_ssh(ANSWERS + f"echo '{line}'; read wait")
    source = SshSource(Node("node2"))
    records = followed(source, Clock(), GpuEvent)
    source.close()
    assert [record.gpu for record in records if isinstance(record, GpuEvent)] == ["node2 nvml#0"]


def test_closing_ends_the_process_there(fake_ssh):
    fake_ssh()
    source = SshSource(Node("node2"))
    source.open(Clock())
    process = source._session._process
    source.close()
    assert process.poll() is not None


def test_it_runs_under_the_poller(fake_ssh):
    fake_ssh()
    got = []
    poller = Poller([SshSource(Node("node2"))], got.append, Clock())
    poller.start()
    deadline = time.monotonic() + 30
    while not any(isinstance(record, HostSample) for record in got):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert poller.stop(5) == []
