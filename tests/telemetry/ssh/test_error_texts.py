"""Whatever goes wrong with telemetry over ssh: one note of two lines at most, with what was got and what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import time

import pytest

from telemetry.records import SourceNote
from telemetry.source_spec import Node
from telemetry.ssh import session
from telemetry.ssh.source import SshSource
from tests.error_texts import assert_whole, untold, whole_folder

MAKERS = ("start()", "_why()", "why_not()")
HELLO = """echo '{"kind":"hello","version":1}'"""
CASES = {
    "refused": (
        "echo 'me@node2.cluster.example.org: Permission denied (publickey,password,keyboard-interactive).' >&2; exit 255",
        ("Permission denied", "ssh -p 2222 me@node2 true", "30 s"),
    ),
    "no reason": ("exit 255", ("ssh -p 2222 me@node2 true",)),
    "no ttftop": ("echo 'No module named telemetry' >&2; exit 1", ("pipx",)),
    "no Python": ("echo 'sh: 1: exec: python3: not found' >&2; exit 127", ("python3: not found", "3.10")),
    "no Python, and no word": ("exit 127", ("127", "3.10")),
    "an end with words": (f"echo '{'word ' * 90}' >&2; exit 3", ("word word",)),
    "an end without": ("exit 3", ("code 3",)),
    "another version": ("""echo '{"kind":"hello","version":99}'; exec sleep 9""", ("99", "ours 1")),
    "silence": ("exec sleep 9", ("0.3 s", "ssh -p 2222 me@node2 true")),
    "a flood": (f'{HELLO}; exec yes \'{{"kind":"clock"}}\'', ("far more",)),
    "no ssh": (None, ("no ssh", "PATH")),
    "no process": ("exit 0", ("temporarily unavailable",)),
}
TOLD: dict[str, str] = {}


def told_of(name, fake_ssh, patch, tmp_path):
    if name in TOLD:
        return TOLD[name]
    script, _ = CASES[name]
    if script is None:
        patch.setenv("PATH", str(tmp_path))
    else:
        fake_ssh(script)
    if name == "silence":
        patch.setattr(session, "FIRST_ANSWER_S", 0.3)
    if name == "no process":

        def refused(*_, **__):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        patch.setattr(subprocess, "Popen", refused)
    source = SshSource(Node("node2", "me", 2222))
    (note,) = [one for one in source.open(time.monotonic_ns) if isinstance(one, SourceNote)]
    source.close()
    assert not note.ok
    TOLD[name] = note.message
    return note.message


@pytest.mark.parametrize("name", CASES)
def test_what_goes_wrong_over_ssh_is_told_with_what_was_got_and_what_to_do(
    name, fake_ssh, monkeypatch, tmp_path
):
    _, values = CASES[name]
    with monkeypatch.context() as patch:
        assert_whole(told_of(name, fake_ssh, patch, tmp_path), "node2", *values)


def test_each_place_of_the_source_that_tells_of_ssh_is_among_them(fake_ssh, monkeypatch, tmp_path):
    for name in CASES:
        with monkeypatch.context() as patch:
            told_of(name, fake_ssh, patch, tmp_path)
    ours = untold(whole_folder("telemetry/ssh", MAKERS), TOLD.values())
    assert [one for one in ours if not one.endswith(": interrupted")] == [], "that is the run's own end"
