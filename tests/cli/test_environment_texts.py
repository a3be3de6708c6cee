"""Whatever is wrong outside of us: the error names it, what it was about and what to do, in two lines at most."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_bad_input import RECORDED, URL
from tests.error_texts import assert_whole
from tui.options.next_step import with_next_step

OLD, NEW = "20260101-000000-a", "20260102-000000-b"


@pytest.fixture
def world(home: Path) -> Iterator[dict[str, str]]:
    """Places by the words that stand for them below: files of every wrong kind, and a port that is taken."""
    sessions = home / "sessions"
    sessions.mkdir()
    shutil.copytree(RECORDED, sessions / OLD)
    shutil.copytree(RECORDED, sessions / NEW)
    manifest = (RECORDED / "session.toml").read_text(encoding="utf-8")
    for name, text in {
        "broken": "not = [toml",
        "foreign": 'format = "something-else"\nversion = "1.0"\n',
        "newer": manifest.replace('version = "1.0"', 'version = "9.0"', 1),
        "odd": manifest.replace('version = "1.0"', "version = 1", 1),
        "wrong": manifest.replace("rate_rps = 4.0", 'rate_rps = "four"', 1),
    }.items():
        (sessions / name).mkdir()
        (sessions / name / "session.toml").write_text(text, encoding="utf-8")
    (sessions / "nothing").mkdir()
    (sessions / "binary").mkdir()
    (sessions / "binary" / "session.toml").write_bytes(b"\xff\xfe")
    empty = sessions / "empty"
    shutil.copytree(RECORDED, empty)
    for file in empty.glob("requests-*"):
        file.unlink()
    for name, data in {
        "text.json": b"so many words",
        "binary.json": b"\xff\x00\xfe",
        "deep.json": b"[" * 100_000,
        "other.json": b'{"a": 1}',
        "empty.json": b"",
        "no.db": b"SQLite format 3\0" + b"x" * 100,
        "packed.ttftop": b"PK\x03\x04 no zip at all",
        "no.toml": b"a = [",
        "latin.toml": b"name = '\xff'",
        "prices.toml": b"[[gpu]]\nname = 3\n",
        "key.html": b"there already",
        "trace.csv": b"no,trace\n",
    }.items():
        (home / name).write_bytes(data)
    (home / "huge.toml").touch()
    os.truncate(home / "huge.toml", 2 << 20)
    (home / "void").mkdir()
    (home / "dir.html").mkdir()
    os.mkfifo(home / "pipe.json")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield {"~": str(home), "$S": str(sessions), "$PORT": str(taken.getsockname()[1])}


WRONG = [
    # report
    "report $S/broken -o ~/r.html",
    "report $S/foreign -o ~/r.html",
    "report $S/newer -o ~/r.html",
    "report $S/odd -o ~/r.html",
    "report $S/wrong -o ~/r.html",
    "report $S/binary -o ~/r.html",
    "report $S/nothing -o ~/r.html",
    f"report $S/{OLD} -o ~/r.docx",
    f"report $S/{OLD} -o ~/no/such/r.html",
    f"report $S/{OLD} -o ~/dir.html",
    f"report $S/{OLD} -o ~/key.html/r.html",
    f"report $S/{OLD} -o /proc/r.html",
    f"report $S/{OLD} -o ~/r.html --requests",
    f"report $S/{OLD} $S/{NEW} -o ~/r.csv --requests",
    "report " + f"$S/{OLD} " * 21 + "-o ~/r.html",
    f"report $S/{OLD} -o ~/r.html --prices ~/none.toml",
    f"report $S/{OLD} -o ~/r.html --prices ~/no.toml",
    f"report $S/{OLD} -o ~/r.html --prices ~/prices.toml",
    f"report $S/{OLD} -o ~/r.html --prices ~/latin.toml",
    # export
    f"export $S/{OLD} --as excel",
    f"export $S/{OLD} --as aiperf",
    f"export $S/{OLD} --as aiperf -o ~/key.html",
    f"export $S/{OLD} --as vllm -o ~/void",
    f"export $S/{OLD} --as vllm -o ~/no/such/file",
    f"export $S/{OLD} --as vllm -o /proc/file",
    "export $S/empty --as vllm",
    "export $S/broken --as vllm",
    "export nosuch --as vllm",
    # import
    "import ~/none.json",
    "import ~/text.json",
    "import ~/binary.json",
    "import ~/deep.json",
    "import ~/other.json",
    "import ~/empty.json",
    "import ~/no.db",
    "import ~/void",
    "import ~/pipe.json",
    "import ~/key.html/x.json",
    # compare, summary, replay, attach
    f"compare $S/{OLD}",
    f"compare $S/{OLD} nosuch",
    f"compare $S/{OLD} $S/broken",
    f"compare --by engine $S/{OLD} $S/{NEW}",
    f"compare $S/{OLD} $S/{NEW} --fail-if-worse speed",
    "summary ~/packed.ttftop",
    "summary ~/none.ttftop",
    "summary $S/newer",
    f"summary $S/{OLD} --fail-if-undecided",
    f"summary $S/{OLD} --slo fast",
    "summary 2026 --sessions-dir $S",
    "summary ~nobody-of-that-name/x",
    f"replay $S/{OLD}",
    "replay ~/packed.ttftop",
    f"attach $S/{OLD}",
    "attach --sessions-dir $S",
    # what is done to sessions
    "sessions rm",
    "sessions rm nosuch --sessions-dir $S",
    f"sessions rm {OLD} --sessions-dir $S",
    f"sessions rename {OLD} --sessions-dir $S",
    f"sessions tag {OLD} engine --sessions-dir $S",
    f"sessions note {OLD} --sessions-dir $S",
    f"sessions pack {OLD} -o ~/x.zip --sessions-dir $S",
    f"sessions pack {OLD} -o ~/packed.ttftop --sessions-dir $S",
    f"sessions pack {OLD} -o ~/no/x.ttftop --sessions-dir $S",
    f"sessions repair {OLD} more --sessions-dir $S",
    "sessions repair broken --sessions-dir $S",
    "sessions repair ~/packed.ttftop",
    # plan, limit, calibrate, doctor, simulate
    "plan list more",
    "plan show",
    "plan show nosuch",
    "plan check ~/no.toml",
    "plan check ~/latin.toml",
    "plan check ~/none.toml",
    "plan check ~/void",
    f"limit {URL}",
    f"limit {URL} --slo itl.mean<3ms",
    f"limit {URL} --slo output_tps<3",
    f"limit {URL} nosuch --slo ttft.p95<1s",
    f"limit $S/{OLD} --slo ttft.p95<1s --concurrency",
    "limit nosuch --slo ttft.p95<1s",
    "limit $S/empty --slo ttft.p95<1s",
    "calibrate --seconds 0.1",
    "calibrate --most 1",
    "doctor --rate 3",
    "doctor --output-tokens 3",
    "doctor --nodes a",
    f"run {URL} --telemetry http://n1/metrics#sesame",
    "doctor --telemetry ssh://a:b@c",
    "doctor --ray ray://1.2.3.4:10001",
    f"doctor {URL} --telemetry none",
    "simulate --port $PORT",
    "simulate --profile nosuch",
    # a run that cannot be
    f"run {URL} --metrics-port $PORT",
    f"run {URL} --api-key-file ~/void",
    f"run {URL} --ca ~/void",
    f"run {URL} --cert ~/none.pem",
    f"run {URL} --cert-key ~/key.html",
    f"run {URL} --prompts ~/none.jsonl",
    f"run {URL} --trace ~/none.csv",
    f"run {URL} --trace ~/trace.csv",
    f"run {URL} --trace ~/void",
    f"run {URL} --plan ~/no.toml",
    f"run {URL} --input-tokens histogram:~/none",
    f"run {URL} --nodes ftp://a",
    f"run {URL} --nodes ssh://a:b@c",
    f"run {URL} --ray 1.2.3.4",
    f"run {URL} --on-node-lost end",
    f"run {URL} --resume",
    "run --resume nosuch",
    f"run {URL} --target {URL}",
    f"run {URL} --source-address 1.2.3",
    f"run {URL} --sessions-dir ~/key.html",
    f"run {URL} --burstiness 2 --concurrency 3",
    f"run {URL} --speed 2",
    f"run {URL} --set a=1",
    f"run {URL} --fail-if-undecided",
    # what does not go with something else that was typed, or without it
    f"run {URL} --think 2s",
    f"run {URL} --system-tokens 9",
    f"run {URL} --scale 0.1",
    f"run {URL} --trace-rate 7",
    f"run {URL} --trace ~/trace.csv --rate 7",
    f"run {URL} --trace ~/trace.csv --speed 2x --trace-rate 7",
    f"run {URL} --plan soak --rate 7",
    f"run {URL} --ramp 1..8/9s --rate 7",
    f"run {URL} --arrivals poisson --burstiness 7",
    f"run {URL} --nodes ssh://a --source-address 127.0.0.1",
    f"run {URL} --duration --rate",
    f"run --resume {OLD} --sessions-dir $S --rate 7",
    f"limit $S/{OLD} --slo ttft.p95<1s --most 7",
    f"doctor {URL} --concurrency 2 --rate 7",
    f"run {URL} --telemetry http://me:sesame@n1/metrics",
    f"run {URL} --telemetry http://n1/metrics?token=sesame",
    f"run --telemetry nvml {URL}",
    f"run {URL} --plan ~/huge.toml",
    f"run {URL} --plan aiperf-pareto --set stages.99.rate=1",
    f"run {URL} --header :",
    f"run {URL} --header content-length:5",
    f"sessions --sessions-dir ~/{'d' * 5000}",
    f"report {'d' * 300} -o ~/r.html",
]


VALUES = {
    **{
        line: line.split()[1]
        for line in WRONG
        if re.match(r"(report|export) .* (-o ~/r.html|--as vllm)$", line)
    },
    "report " + f"$S/{OLD} " * 21 + "-o ~/r.html": "21 sessions",
    f"compare $S/{OLD}": "1 side",
    f"compare --by engine $S/{OLD} $S/{NEW}": "engine",
    # A session by its id.
    **dict.fromkeys((f"replay $S/{OLD}", f"attach $S/{OLD}", f"sessions rm {OLD} --sessions-dir $S"), OLD),
    "summary 2026 --sessions-dir $S": "2026: 2 sessions",
    f"sessions rename {OLD} --sessions-dir $S": "0 words",
    f"sessions note {OLD} --sessions-dir $S": "0 words",
    f"sessions tag {OLD} engine --sessions-dir $S": "'engine'",
    f"sessions pack {OLD} -o ~/x.zip --sessions-dir $S": "~/x.zip",
    f"sessions pack {OLD} -o ~/packed.ttftop --sessions-dir $S": "~/packed.ttftop",
    f"sessions pack {OLD} -o ~/no/x.ttftop --sessions-dir $S": "~/no/x.ttftop",
    f"sessions repair {OLD} more --sessions-dir $S": "'more'",
    "sessions repair broken --sessions-dir $S": "$S/broken",
    "sessions rm nosuch --sessions-dir $S": "nosuch",
    f"limit {URL} nosuch --slo ttft.p95<1s": URL,
    "limit nosuch --slo ttft.p95<1s": "nosuch",
    "limit $S/empty --slo ttft.p95<1s": "empty",
    f"limit $S/{OLD} --slo ttft.p95<1s --concurrency": OLD,
    f"summary $S/{OLD} --fail-if-undecided": OLD,
    f"report $S/{OLD} -o ~/r.html --requests": "~/r.html",
    f"report $S/{OLD} $S/{NEW} -o ~/r.csv --requests": "2 sessions",
    f"doctor {URL} --telemetry none": URL,
    f"run {URL} --burstiness 2 --concurrency 3": "'2'",
    f"run {URL} --input-tokens histogram:~/none": "~/none",
    f"run {URL} --duration --rate": "'--rate'",
    f"run {URL} --plan aiperf-pareto --set stages.99.rate=1": "'stages.99.rate'",
    f"run {URL} --header content-length:5": "content-length",
    f"sessions --sessions-dir ~/{'d' * 5000}": f"…{'d' * 29}: ",
    f"report {'d' * 300} -o ~/r.html": f"…{'d' * 29}: ",
    # What is secret is masked.
    f"run {URL} --telemetry http://me:sesame@n1/metrics": "http://***@n1/metrics",
    f"run {URL} --telemetry http://n1/metrics?token=sesame": "http://n1/metrics?***",
    f"run {URL} --telemetry http://n1/metrics#sesame": "http://n1/metrics#***",
    "doctor --telemetry ssh://a:b@c": "ssh://***@c",
    f"run {URL} --nodes ssh://a:b@c": "ssh://***@c",
    # Nothing was typed but what is right: something is missing.
    **dict.fromkeys(("sessions rm", "plan show"), ""),
    f"limit {URL}": "--slo",
    f"run {URL} --resume": "--resume",
}
"""By the line, where it is not its last word."""


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_outside_is_said_briefly_with_what_it_is_about_and_what_to_do(
    typed: Command, world: dict[str, str], line: str
) -> None:
    words = []
    for word in line.split():
        for short, place in world.items():
            word = word.replace(short, place) if not word.startswith("~nobody") else word
        words.append(word)
    done = typed(*words)
    told = done.stderr.replace(world["$S"], "$S").replace(world["~"], "~")
    assert done.returncode in (1, 2, 3), told
    assert told.startswith("ttftop: error: ")
    assert told.count("\n") == 1
    assert "sesame" not in told
    value = VALUES.get(line, line.split()[-1]).replace("$PORT", world["$PORT"])
    assert_whole(told.removesuffix("\n"), value)


REFUSALS = (
    *("ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ELOOP", "ENAMETOOLONG", "EACCES", "EPERM", "EROFS"),
    *("ENOSPC", "EDQUOT", "EFBIG", "EIO", "ESTALE", "EADDRINUSE", "EADDRNOTAVAIL", "EMFILE", "ENFILE"),
    *("ENOMEM", "EAGAIN", "EINVAL"),
)
"""What a disk, a port or the kernel may say to any command."""


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_system_refuses_is_said_with_what_to_do_about_it(name: str) -> None:
    said = f"--output: r.html: {os.strerror(getattr(errno, name))}"
    told = with_next_step(said)
    assert told.startswith(f"{said}; need ")
    assert with_next_step(told) == told, "once"


@pytest.mark.parametrize("name", ["EACCES", "EPERM", "EINVAL", "EADDRINUSE", "EADDRNOTAVAIL"])
def test_what_is_said_of_a_port_or_an_address_is_said_of_no_path(name: str) -> None:
    told = with_next_step(f"--metrics-port: 0.0.0.0:80: {os.strerror(getattr(errno, name))}")
    assert "; need " in told
    assert "path" not in told


def test_where_an_error_says_what_to_do_nothing_is_added() -> None:
    said = f"--ca: cannot read a: {os.strerror(errno.ENOENT)}; need a file that can be read"
    assert with_next_step(said) == said


@pytest.mark.parametrize("term", ["dumb", "", "no-such-terminal"])
def test_a_terminal_that_can_show_no_screen_is_named_with_what_to_do_without(
    typed: Command, term: str
) -> None:
    told = typed("replay", str(RECORDED), TERM=term).stderr.removesuffix("\n")
    assert told.startswith("ttftop: error: replay: needs a terminal as stdin and stdout; without one, ")
    assert_whole(told.replace(RECORDED.name, ""), "ttftop summary ")
