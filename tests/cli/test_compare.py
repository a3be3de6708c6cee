"""`ttftop compare` as a person or a pipeline runs it, on sessions of a simulated queue written to disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.common.queue_model import Asked, served
from loadgen.records import Request, Tick
from sessions.compare.schema import (
    ComparedFigure,
    ComparedLoad,
    Comparison,
    Difference,
    LoadPoint,
    ScaledSide,
    Scaling,
    Side,
    TpAgainstDp,
    Versus,
)
from sessions.store.journal import (
    SUPERVISOR_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.manifest import write
from sessions.store.records import End
from tests.cli.conftest import Command

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "commands.md"
LOADS = Asked(0.6, 240.0, steps=3, memory_s=0.5)


def store(directory: Path, asked: Asked, seed: int, tags: tuple[str, ...] = (), **more: Any) -> Path:
    """A session of the simulated queue. `more`: fields of its manifest; `reason`: how it ended."""
    records, manifest = served(asked, seed)
    reason = more.pop("reason", "completed")
    session = msgspec.structs.replace(manifest.session, id=directory.name, name=directory.name)
    config = msgspec.structs.replace(manifest.config, tags=list(tags))
    directory.mkdir(parents=True)
    write(directory, msgspec.structs.replace(manifest, session=session, config=config, **more))
    supervisor = JournalWriter(directory / SUPERVISOR_FILE)
    worker = JournalWriter(directory / worker_file(0))
    requests = RequestJournalWriter(directory / request_file(0))
    ends = [msgspec.structs.replace(r, reason=reason) for r in records if isinstance(r, End)]
    requests.append([r for r in records if isinstance(r, Request)])
    worker.append([r for r in records if isinstance(r, Tick)])
    supervisor.append([r for r in records if not isinstance(r, (Request, Tick, End))] + ends)
    for writer in (supervisor, worker, requests):
        writer.close()
    return directory


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server, the same again, and one that is half as slow again; each under three loads."""
    place = tmp_path_factory.mktemp("sessions")
    for name, slower, seed in (("first", 1.0, 1), ("again", 1.0, 2), ("slow", 1.5, 3)):
        model = {"model": "m-slow" if name == "slow" else "m", "simulated": True}
        store(place / name, LOADS._replace(slower=slower), seed, (f"gpu={name[0]}",), server=model)
    store(place / "killed", LOADS, 4, reason="aborted")
    store(place / "other", Asked(0.2, 60.0), 5)
    return place


def told(typed: Command, root: Path, *arguments: str) -> tuple[int, list[str], str]:
    done = typed("compare", *arguments, "--sessions-dir", str(root))
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_the_verdict_comes_first_then_the_picture_then_tables_of_80_columns(
    typed: Command, root: Path
) -> None:
    code, lines, err = told(typed, root, "first", "slow")
    assert (code, err) == (0, "")
    assert lines[0] == "slow against first: WORSE"
    assert lines[1].startswith("  worse: TTFT p50 +")
    text = "\n".join(lines)
    picture, differs, table = (
        text.index(words) for words in ("over the offered rate", "model: m -> ", "\nms ")
    )
    assert picture < differs < table
    assert max(map(len, lines)) <= 80


def test_only_four_things_are_ever_said(typed: Command, root: Path) -> None:
    _, lines, _ = told(typed, root, "first", "again", "--no-charts")
    words = r"(better|worse|no difference larger than \d+ %|cannot tell( \(.*\))?)( \(\d of \d\))?$"
    rows = [line for line in lines if re.match(r"(TTFT|ITL|TPOT|E2E|tokens/s) ?\w*  ", line)]
    assert len(rows) == 4 * 8
    assert [row for row in rows if not re.search(words, row)] == []


def test_a_pipeline_hears_of_what_is_worse_and_gets_exit_code_1(typed: Command, root: Path) -> None:
    code, _, err = told(typed, root, "first", "slow", "--fail-if-worse", "5%", "--no-charts")
    assert code == 1
    assert re.search(r"^ttftop: slow: ITL mean is worse by \d+\.\d % \(5 % fails\)$", err, re.MULTILINE)
    code, _, err = told(typed, root, "slow", "first", "--fail-if-worse", "5%", "--no-charts")
    assert (code, re.findall("is worse", err)) == (0, [])


def test_a_session_that_is_not_valid_is_said_so_first_and_passes_nothing(typed: Command, root: Path) -> None:
    code, lines, _ = told(typed, root, "first", "killed", "--no-charts")
    assert (code, lines[0]) == (0, "NOT VALID: killed: the run was aborted")
    code, _, err = told(typed, root, "first", "killed", "--fail-if-worse", "50")
    assert code == 1
    assert "ttftop: killed is not valid, so nothing is passed: the run was aborted\n" in err


def test_json_holds_what_the_page_lists(typed: Command, root: Path) -> None:
    code, lines, _ = told(typed, root, "first", "slow", "--json", "--metrics", "itl.mean")
    found = json.loads("\n".join(lines))
    assert (code, found["versus"][0]["word"], len(found["versus"][0]["loads"])) == (0, "worse", 3)
    (figure,) = found["versus"][0]["overall"]
    assert figure["low"] < figure["low_alone"] < figure["ratio"] < figure["high_alone"] < figure["high"]
    page = PAGE.read_text(encoding="utf-8").partition("## ttftop compare")[2].partition("\n## ")[0]
    named = set(re.findall(r"`\.?([a-z_]+)`", page))
    kinds = (
        *(Comparison, Versus, Side, ComparedLoad, ComparedFigure, Difference),
        *(Scaling, ScaledSide, TpAgainstDp, LoadPoint),
    )
    assert [f for kind in kinds for f in kind.__struct_fields__ if f not in named] == []


def test_repetitions_are_sides_of_several_sessions(typed: Command, root: Path) -> None:
    _, lines, _ = told(typed, root, "first,again", ":", "slow,slow", "--no-charts")
    assert lines[0] == "slow,slow against first,again: WORSE"
    assert "Welch" in "\n".join(lines)


def test_sides_may_be_made_by_a_tag(typed: Command, root: Path) -> None:
    _, lines, _ = told(typed, root, "slow", "first", "--by", "gpu", "--no-charts")
    assert lines[0] == "gpu=f against gpu=s: better"
    done = typed("compare", "first", "other", "--by", "gpu", "--sessions-dir", str(root))
    assert (done.returncode, "other has no tag of that name" in done.stderr) == (2, True)


def test_goodput_is_compared_where_targets_are_given(typed: Command, root: Path) -> None:
    """Half as slow again, next to none of the answers that took 1.1 times as long as usual come in time."""
    _, lines, _ = told(typed, root, "first", "slow", "--json", "--metrics", "e2e.p50,goodput_rps")
    e2e, goodput = json.loads("\n".join(lines))["versus"][0]["loads"][0]["figures"]
    assert goodput["because"] == "not measured"
    slo = f"e2e.p50<{1.1 * e2e['a']:.0f}ms"
    _, lines, _ = told(typed, root, "first", "slow", "--slo", slo, "--metrics", "goodput_rps", "--no-charts")
    assert lines[0] == "slow against first: WORSE"
    assert re.search(r"^goodput  +\d+\.\d\d +\d+\.\d\d +-\d\d", "\n".join(lines), re.MULTILINE)


def test_sides_of_other_numbers_of_gpus_end_with_what_more_gpus_give(typed: Command, tmp_path: Path) -> None:
    for tp in (1, 2):
        store(tmp_path / f"tp{tp}", LOADS, tp, (f"tp={tp}",))
    code, lines, _ = told(typed, tmp_path, "tp1", "tp2", "--by", "tp", "--no-charts", "--metrics", "itl.mean")
    assert code == 0
    text = "\n".join(lines)
    (one,) = re.findall(r"^tp=1 +1 +[\d.]+ rps\*? +([\d,]+) +[\d.]+ +100%$", text, re.MULTILINE)
    (two,) = re.findall(r"^tp=2 +2 +[\d.]+ rps\*? +([\d,]+) +[\d.]+ +(\d+)%$", text, re.MULTILINE)
    made = [int(each.replace(",", "")) for each in (one, two[0])]
    assert int(two[1]) == pytest.approx(100 * made[1] / made[0] / 2, abs=1)
    assert "GPUs by: tags tp" in text
    assert len(re.findall(r"^\*? +tp=\d +[\d.]+ rps", text, re.MULTILINE)) == 6
    assert max(map(len, lines)) <= 80
    _, lines, _ = told(typed, tmp_path, "tp1", "tp1", "--no-charts")
    assert "Pareto" not in "\n".join(lines), "one number of GPUs, and nobody asked"


def test_every_further_side_is_held_against_the_first(typed: Command, root: Path) -> None:
    _, lines, _ = told(typed, root, "first", "again", "slow", "--no-charts")
    heads = [line for line in lines if " against first: " in line]
    assert [head.split()[0] for head in heads] == ["again", "slow"]


def test_where_no_load_is_common_it_is_said_what_was_done_and_what_to_do(typed: Command, root: Path) -> None:
    code, lines, _ = told(typed, root, "first", "other", "--no-charts")
    text = " ".join(line.strip() for line in lines)
    assert (code, max(map(len, lines)) <= 80) == (0, True)
    assert re.search(r"DIFFERENT LOADS: [\d.]+ rps against [\d.]+ rps\. Compare runs at one rate", text)
    assert "run one side at a load of the other" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["first"], "compare: got 1 side, need two sessions or more (A B)"),
        (["first", "nobody"], "nobody"),
        (["first", "again", "--metrics", "ttft.p59"], "--metrics: got 'ttft.p59'"),
        (["first", "again", "--fail-if-worse", "-5"], "--fail-if-worse: got '-5', need a percentage above 0"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    typed: Command, root: Path, arguments: list[str], says: str
) -> None:
    code, lines, err = told(typed, root, *arguments)
    assert (code, lines) == (2, [])
    assert says in err
    assert err.count("\n") == 1
