"""What a login of another node does around our poller, what it does to us, and what we must not do to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from telemetry.poller import Poller
from telemetry.records import GpuDevices, GpuSamples, HostSample, SourceNote
from telemetry.source_spec import Node
from telemetry.ssh import allowance, session
from telemetry.ssh.command import LOOK_THERE, NOT_THERE, OPTIONS, command, unknown_option
from telemetry.ssh.source import SshSource

BY_HAND = "need ssh node2 true to get in by a key, without a question"

HELLO = '{"kind":"hello","version":1,"host":"n"}'
ANSWERS = (
    'began=$(date +%s%N); while read word number; do echo "{\\"kind\\":\\"clock\\",\\"echo\\":$number,\\"t_ns\\":$(($(date +%s%N) - began))}"; '
    '[ "$number" = 5 ] && break; done\n'
)
GREETS = f"echo '{HELLO}'\n{ANSWERS}"
HERE = 'for last; do :; done; exec sh -c "$last"'


def opened(redact=None):
    source = SshSource(Node("node2"), redact=redact) if redact else SshSource(Node("node2"))
    return source, source.open(time.monotonic_ns)


def messages(records):
    return [(record.ok, record.message) for record in records if isinstance(record, SourceNote)]


def sampled(source, most_s=30.0, enough=bool):
    """Records of sampling until `enough` of them."""
    records = []
    deadline = time.monotonic() + most_s
    while not enough(records):
        assert time.monotonic() < deadline, records
        threading.Event().wait(0.01)
        records += source.sample(time.monotonic_ns)
    return records


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid, most_s=10):
    deadline = time.monotonic() + most_s
    while alive(pid) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return not alive(pid)


# words of a login


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "(base) ",
        "\033]0;root@gpu1\007",
        '{"kind": "motd"}',
        '{"kind":"motd"}',
        '{"kind":"hello" ',
        "\377\376 \303",
        "a" * 70_000,
        "Welcome\n(base) ",
    ],
    ids=["prompt", "title", "json", "json of ours", "half a hello", "no utf-8", "long", "two lines"],
)
def test_words_without_a_line_end_before_ours_are_passed_over(fake_ssh, tmp_path, words):
    (tmp_path / "words").write_bytes(words.encode("latin-1"))
    fake_ssh(f"cat {tmp_path}/words; {HERE}")
    source, records = opened()
    source.close()
    ok, text = messages(records)[0]
    assert ok, text
    assert text.startswith("ssh node2: runs our poller")


def test_a_login_that_prints_much_before_ours_is_heard(fake_ssh):
    fake_ssh(f"yes hello | head -c 3000000; {HERE}")
    source, records = opened()
    source.close()
    assert messages(records)[0][0]


def test_a_login_that_changes_its_shell_runs_ours_all_the_same(fake_ssh, tmp_path):
    strict = "set -euC; IFS=/; unset HOME; umask 077; alias python3=false"
    fake_ssh(f'for last; do :; done; exec bash -c "{strict}; cd {tmp_path}; $last"')
    source, records = opened()
    source.close()
    assert messages(records)[0][0], records


# the user's configuration


def test_what_the_users_configuration_wants_of_a_login_is_not_wanted_of_ours():
    """As a real ssh understands it, whatever ~/.ssh/config says."""
    options = {option.partition("=")[0] for option in OPTIONS}
    assert {
        *("RemoteCommand", "ClearAllForwardings", "ControlMaster", "SessionType", "StdinNull"),
        *("ForkAfterAuthentication", "PermitLocalCommand", "Tunnel"),
    } <= options
    assert {"-T", "-a", "-x"} <= set(command(Node("n"), ""))


def test_a_real_ssh_takes_our_options_over_those_of_the_configuration(tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "Host gpu1\n  RequestTTY yes\n  RemoteCommand tmux new -A\n  LocalForward 8000 localhost:8000\n"
        "  RemoteForward 9000 localhost:9000\n  DynamicForward 1080\n  ControlMaster auto\n  ControlPath /tmp/%C\n"
        "  ForwardAgent yes\n  ForwardX11 yes\n  PermitLocalCommand yes\n  LocalCommand echo hi\n  BatchMode no\n"
        "  IgnoreUnknown UseKeychain\n  UseKeychain yes\n"
    )
    try:
        argv = ["ssh", "-G", "-F", str(config), *command(Node("gpu1"), "")[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no ssh here")
    assert done.returncode == 0, done.stderr
    settings = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    assert settings.get("remotecommand", "none") == "none"
    assert (settings["controlmaster"], settings["batchmode"]) == ("false", "yes")
    assert (settings["forwardagent"], settings["forwardx11"]) == ("no", "no")
    assert (settings["clearallforwardings"], settings["permitlocalcommand"]) == ("yes", "no")
    assert settings["requesttty"] == "false"


def test_an_older_ssh_is_asked_without_the_options_that_it_does_not_know(fake_ssh):
    unknown = "StdinNull", "SessionType", "ForkAfterAuthentication", "RemoteCommand"
    refusals = "".join(
        f"case \"$*\" in *{name}=*) echo 'command-line: line 0: Bad configuration option: {name.lower()}' >&2; "
        "exit 255;; esac\n"
        for name in unknown
    )
    ssh = fake_ssh(f'{refusals}echo "$@" > "$0.args"; {HERE}')
    source, records = opened()
    source.close()
    assert messages(records)[0][0], records
    args = Path(f"{ssh}.args").read_text()
    assert not any(name in args for name in unknown)
    assert "ClearAllForwardings=yes" in args


def test_an_option_that_is_not_ours_is_the_users_affair(fake_ssh):
    assert unknown_option("Bad configuration option: usekeychain") == frozenset()
    said = "/home/me/.ssh/config: line 3: Bad configuration option: usekeychain"
    fake_ssh(f"echo '{said}' >&2; exit 255")
    source, records = opened()
    source.close()
    assert messages(records) == [
        (False, f"ssh node2: cannot connect ({said}); {BY_HAND}; tried again every 30 s")
    ]


# where ttftop is installed


@pytest.fixture
def bare_python(fake_ssh, tmp_path, monkeypatch):
    """A node whose python3 cannot import ttftop; returns the environment that a pipx or uv would have made."""
    fake_ssh(f"unset PYTHONPATH; export HOME={tmp_path}/home; PATH={tmp_path}/bin:/usr/bin:/bin; {HERE}")
    python3 = tmp_path / "bin" / "python3"
    python3.unlink()
    python3.write_text(f'#!/bin/sh\nexec {sys.base_prefix}/bin/python3 -I "$@"\n')
    python3.chmod(0o755)
    there = tmp_path / "tools" / "ttftop" / "bin"
    there.mkdir(parents=True)
    path = os.environ["PYTHONPATH"]
    (there / "python").write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {sys.executable} "$@"\n')
    (there / "ttftop").write_text("#!/bin/false\n")
    for file in there.iterdir():
        file.chmod(0o755)
    return there / "ttftop"


@pytest.mark.parametrize("place", ["bin", "home/.local/bin"])
def test_ttftop_that_pipx_or_uv_installed_is_found(bare_python, tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ttftop").symlink_to(bare_python)
    source, records = opened()
    source.close()
    ok, text = messages(records)[0]
    assert ok, text


def test_where_there_is_no_ttftop_the_sentence_knows_pipx_and_uv(bare_python):
    source, records = opened()
    source.close()
    assert messages(records) == [
        (
            False,
            f"ssh node2: {NOT_THERE}; tried again every 30 s",
        )
    ]


def test_modules_of_the_directory_that_a_login_starts_in_are_not_run(fake_ssh, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    for name in ("telemetry.py", "json.py", "socket.py"):
        (home / name).write_text("raise SystemExit('a module of the working directory was run')\n")
    fake_ssh(f"cd {home}; {HERE}")
    source, records = opened()
    source.close()
    assert messages(records)[0][0], records


# an ssh that hangs, and what it leaves behind


@pytest.mark.parametrize("script", ["sleep 600", "trap '' TERM INT HUP PIPE; while :; do sleep 1; done"])
def test_an_ssh_that_hangs_while_connecting_ends_with_the_run(fake_ssh, tmp_path, script):
    fake_ssh(
        f"sleep 600 & echo $$ $! > {tmp_path}/pids.new; mv {tmp_path}/pids.new {tmp_path}/pids; {script}"
    )
    got = []
    poller = Poller([SshSource(Node("node2"))], got.append, time.monotonic_ns)
    poller.start()
    while not (tmp_path / "pids").exists():
        threading.Event().wait(0.01)
    assert poller.stop(30) == []
    assert messages(got) == [(False, "ssh node2: no answer before the end")]
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_run_that_ends_before_ssh_has_started_starts_none(fake_ssh, tmp_path):
    fake_ssh(f"touch {tmp_path}/started; sleep 600")
    source = SshSource(Node("node2"))
    source.interrupt()
    assert messages(source.open(time.monotonic_ns)) == [(False, "ssh node2: no answer before the end")]
    source.close()


def test_an_ssh_that_ends_is_seen_to_end_though_what_it_left_holds_its_pipes(fake_ssh, tmp_path):
    fake_ssh(f"sleep 600 & echo $! > {tmp_path}/pid; echo 'no route' >&2; exit 255")
    source, records = opened()
    source.close()
    assert messages(records) == [
        (False, f"ssh node2: cannot connect (no route); {BY_HAND}; tried again every 30 s")
    ]
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_node_that_ends_is_seen_to_end_though_what_it_left_holds_its_pipes(fake_ssh, tmp_path):
    fake_ssh(f"sleep 600 & echo $! > {tmp_path}/pid; {GREETS} exit 3")
    source, records = opened()
    records += sampled(source, enough=lambda got: len(messages(got)) == 1)
    source.close()
    assert messages(records)[1] == (
        False,
        f"ssh node2: the poller there ended with code 3; {LOOK_THERE}; tried again every 30 s",
    )
    assert gone(int((tmp_path / "pid").read_text()))


def test_what_an_ssh_leaves_behind_is_ended_with_it(fake_ssh, tmp_path):
    fake_ssh(f"sleep 600 & echo $! > {tmp_path}/pid; {GREETS} read wait")
    source, records = opened()
    assert messages(records)[0][0]
    source.close()
    assert gone(int((tmp_path / "pid").read_text()))


# floods


def flooding(fake_ssh, tail, before=GREETS):
    fake_ssh(f"{before}{tail}")
    source, records = opened()
    records += sampled(
        source, enough=lambda got: any(not note.ok for note in got if isinstance(note, SourceNote))
    )
    return source, records


@pytest.mark.parametrize(
    "line",
    [
        '{"kind":"source","t_ns":5,"source":"a","ok":true,"message":"m"}',
        '{"kind":"zz"}',
        "y",
        "x" * 100_000,
    ],
)
def test_a_node_that_floods_us_is_cut_off_and_not_asked_again(fake_ssh, monkeypatch, line):
    monkeypatch.setattr(session, "LINES", allowance.Limit(1000, 0))
    monkeypatch.setattr(session, "BYTES", allowance.Limit(1 << 20, 0))
    source, records = flooding(fake_ssh, f"yes '{line}'")
    source.close()
    assert messages(records)[-1] == (
        False,
        "ssh node2: it sends far more than a poller does: cut off, and not asked again; need this ttftop there",
    )
    assert source.interval_ns is None
    # What came before it was cut is bounded by what it was allowed.
    assert len(records) <= 1002


@pytest.mark.parametrize("tail", ["cat /dev/zero", "yes evil >&2"])
def test_a_flood_without_lines_or_of_complaints_is_cut_off_too(fake_ssh, monkeypatch, tail):
    monkeypatch.setattr(session, "BYTES", allowance.Limit(1 << 20, 0))
    monkeypatch.setattr(session, "COMPLAINT_BYTES", allowance.Limit(1 << 20, 0))
    source, records = flooding(fake_ssh, tail)
    source.close()
    assert "it sends far more than a poller does" in messages(records)[-1][1]


@pytest.mark.parametrize("line", ["hello", '{"kind":"zz"}'])
def test_a_login_that_floods_before_it_greets_is_cut_off(fake_ssh, monkeypatch, line):
    monkeypatch.setattr(session, "BYTES", allowance.Limit(1 << 20, 0))
    fake_ssh(f"yes '{line}'")
    source, records = opened()
    source.close()
    assert "it sends far more than a poller does" in messages(records)[0][1]


def test_an_allowance_is_filled_again_with_time():
    left = allowance.Allowance(allowance.Limit(10, 5))
    assert [left.spend(4, 0), left.spend(4, 0), left.spend(2, 0), left.spend(1, 0)] == [
        True,
        True,
        True,
        False,
    ]
    assert not left.spend(5, 1_000_000_000)
    assert left.spend(10, 10_000_000_000)


# what a node says


def test_records_that_no_session_could_hold_are_passed_over(fake_ssh, tmp_path):
    good = '{"kind":"host_sample","t_ns":900,"took_ns":1,"source":"host","cpu_pct":5.0}'
    bad = [
        '{"kind":"host_sample","t_ns":9223372036854775807,"took_ns":1,"source":"host"}',
        '{"kind":"host_sample","t_ns":900,"took_ns":-1,"source":"host"}',
        '{"kind":"host_sample","t_ns":900,"took_ns":1,"source":"host","memory_used_bytes":-5}',
        '{"kind":"host_sample","t_ns":900,"took_ns":1,"source":"host","memory_used_bytes":9223372036854775807}',
        '{"kind":"host_sample","t_ns":900,"took_ns":1,"source":"host","cpu_pct":1e300}',
        '{"kind":"gpu","t_ns":900,"took_ns":1,"source":"n","gpus":[{"gpu":"a","throttled_pct":{"x":-1}}]}',
        '{"kind":"server","t_ns":900,"took_ns":1,"source":"n","ttft":{"bounds_s":[],"counts":[9223372036854775807]}}',
        '{"kind":"source","t_ns":900,"source":"n","ok":true,"message":"from a year ahead"}'.replace(
            "900", str(365 * 86400 * 10**9)
        ),
    ]
    (tmp_path / "lines").write_text("\n".join([*bad, good]) + "\n")
    fake_ssh(f"{GREETS}cat {tmp_path}/lines; read wait")
    source, records = opened()
    records += sampled(source) if len(records) == 1 else []
    source.close()
    assert [record.cpu_pct for record in records if isinstance(record, HostSample)] == [5.0]
    assert len(records) == 2


def test_a_node_that_invents_sources_is_heard_as_some(fake_ssh):
    count = session.MOST_SOURCES + 10
    loop = f'i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo "{{\\"kind\\":\\"source\\",\\"t_ns\\":900,\\"source\\":\\"s$i\\",\\"ok\\":true,\\"message\\":\\"m\\"}}"; done'
    fake_ssh(f"{GREETS}{loop}; exit 3")
    source, records = opened()
    records += sampled(source, enough=lambda got: any("ended" in text for _, text in messages(got)))
    source.close()
    assert len({record.source for record in records}) == session.MOST_SOURCES + 1


def test_our_key_in_a_nodes_words_is_hidden(fake_ssh, tmp_path):
    key = "sk-canary-123"
    lines = [
        f'{{"kind":"source","t_ns":900,"source":"s","ok":true,"message":"{"x" * 295}{key}"}}',
        f'{{"kind":"gpu_devices","t_ns":900,"source":"n","devices":[{{"gpu":"{key}","index":0,"name":"{key}"}}]}}',
        f'{{"kind":"gpu","t_ns":900,"took_ns":1,"source":"n","gpus":[{{"gpu":"{key}","processes":[{{"pid":1,"name":"{key}"}}]}}]}}',
    ]
    (tmp_path / "lines").write_text("\n".join(lines) + "\n")
    fake_ssh(f"{GREETS}cat {tmp_path}/lines; echo 'no {key}' >&2; exit 255")
    source, records = opened(lambda text: text.replace(key, "***"))
    records += sampled(source, enough=lambda got: any(not ok for ok, _ in messages(got)))
    source.close()
    assert {type(record) for record in records} >= {SourceNote, GpuDevices, GpuSamples}
    assert key[:6] not in repr(records)
    assert (
        messages(records)[-1][1] == f"ssh node2: cannot connect (no ***); {BY_HAND}; tried again every 30 s"
    )


CONNECTS = """
import time
from telemetry.source_spec import Node
from telemetry.ssh.source import SshSource
SshSource(Node("node2")).open(time.monotonic_ns)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.parametrize(
    "script", ["exec sleep 600", f"{GREETS} exec sleep 600"], ids=["connecting", "connected"]
)
def test_an_ssh_ends_with_a_run_that_is_killed(fake_ssh, tmp_path, script):
    fake_ssh(
        f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; trap '' HUP PIPE; {script}"
    )
    run = subprocess.Popen([sys.executable, "-c", CONNECTS])
    while not (tmp_path / "pid").exists():
        threading.Event().wait(0.01)
    run.kill()
    run.wait()
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_python3_that_lacks_what_ttftop_needs_is_passed_over(bare_python, tmp_path):
    broken = tmp_path / "broken" / "telemetry"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("")
    (broken / "__main__.py").write_text("import a_package_that_is_not_there\n")
    python3 = tmp_path / "bin" / "python3"
    python3.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/broken exec {sys.base_prefix}/bin/python3 "$@"\n')
    (tmp_path / "bin" / "ttftop").symlink_to(bare_python)
    source, records = opened()
    source.close()
    assert messages(records)[0][0], records
