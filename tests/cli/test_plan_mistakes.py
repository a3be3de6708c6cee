"""Mistakes of a plan, in its keys and in the files that it names: one line each, with the plan's file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

URL = "http://127.0.0.1:9"
CLOSED = "[[stages]]\nconcurrency = 1\nrequests = 2\n"
NO_FILE = "cannot read it: No such file or directory"
MISSING = f"{NO_FILE}; need a path that exists"
NEED = "need prompt, messages, conversations, or input_tokens and output_tokens"
TRACES = (
    "need JSON lines of timestamp, input_length, output_length, or CSV of TIMESTAMP, ContextTokens, "
    "GeneratedTokens, or of Timestamp, Request tokens, Response tokens"
)
RATE = "need a number above 0 such as 8 or 2.5 (requests per second)"

FILES = {
    "typo.jsonl": '{"prompt": "one"}\n{"promt": "two"}\n',
    "messages.jsonl": '{"messages": [{"role": "user", "content": "hello"}]}\n',
    "words.json": "no list\n",
    "empty.txt": "\n\n",
    "short.csv": "TIMESTAMP,ContextTokens\n2023-11-16 18:15:40,5\n",
    "short.jsonl": '{"timestamp": 0, "input_length": 5}\n',
    "lengths.txt": "10 1\nten 2\n",
}
"""Beside the plan."""

WRONG = {
    # what the plan says after its first line, and the mistake after the plan's name: DIR is where it stands
    "a missing file of the run": (
        '[run]\nprompts = "none.txt"\n' + CLOSED,
        f"line 3: run.prompts: DIR/none.txt: {MISSING}",
    ),
    "of a stage": (
        CLOSED + 'prompts = "none.txt"\n',
        f"line 5: stages[0].prompts: DIR/none.txt: {MISSING}",
    ),
    "of a mix": (
        CLOSED + '[[mix]]\nname = "a"\nprompts = "none.txt"\n',
        f"line 7: mix[0].prompts: DIR/none.txt: {MISSING}",
    ),
    "of a preset": (
        CLOSED + '[[presets]]\nname = "a"\nprompts = "none.txt"\n',
        f"line 7: presets[0].prompts: DIR/none.txt: {MISSING}",
    ),
    "a missing trace": ('[[stages]]\ntrace = "./none.csv"\n', f"line 3: stages[0].trace: trace DIR/none.csv: {MISSING}"),
    "a missing histogram": (
        CLOSED + 'input_tokens = "histogram:none.txt"\n',
        f"line 5: stages[0].input_tokens: histogram DIR/none.txt: {MISSING}",
    ),
    "3 GB of prompts for the run": (
        '[run]\nprompts = "huge.txt"\n' + CLOSED,
        "line 3: run.prompts: DIR/huge.txt: it is larger than 1 GiB; need a smaller one",
    ),
    "for a stage": (
        CLOSED + 'prompts = "huge.txt"\n',
        "line 5: stages[0].prompts: DIR/huge.txt: it is larger than 1 GiB; need a smaller one",
    ),
    "for a mix": (
        CLOSED + '[[mix]]\nname = "a"\nprompts = "huge.txt"\n',
        "line 7: mix[0].prompts: DIR/huge.txt: it is larger than 1 GiB; need a smaller one",
    ),
    "3 GB of lengths": (
        CLOSED + 'input_tokens = "histogram:huge.txt"\n',
        "line 5: stages[0].input_tokens: histogram DIR/huge.txt: it is larger than 1 MiB; need a smaller one",
    ),
    "a line that is no prompt": (
        CLOSED + 'prompts = "typo.jsonl"\n',
        f"line 5: stages[0].prompts: prompts DIR/typo.jsonl, line 2: got an object with promt; {NEED}",
    ),
    "of the run": (
        '[run]\nprompts = "typo.jsonl"\n' + CLOSED,
        f"line 3: run.prompts: prompts DIR/typo.jsonl, line 2: got an object with promt; {NEED}",
    ),
    "of a preset's file": (
        CLOSED + '[[presets]]\nname = "a"\nprompts = "typo.jsonl"\n',
        f"line 7: presets[0].prompts: prompts DIR/typo.jsonl, line 2: got an object with promt; {NEED}",
    ),
    "no JSON": (
        CLOSED + 'prompts = "words.json"\n',
        f"line 5: stages[0].prompts: prompts DIR/words.json, line 1: got 7 bytes, no JSON object; {NEED}",
    ),
    "no prompt at all": (
        CLOSED + 'prompts = "empty.txt"\n',
        "line 5: stages[0].prompts: prompts DIR/empty.txt: it holds no prompt",
    ),
    "messages for completions": (
        '[run]\nendpoint = "completions"\n' + CLOSED + 'prompts = "messages.jsonl"\n',
        "line 7: stages[0].prompts: it holds messages, and completions takes text; "
        "need chat",
    ),
    "a column that a trace lacks": (
        '[[stages]]\ntrace = "short.csv"\n',
        f"line 3: stages[0].trace: trace DIR/short.csv: line 1: there is no column 'generatedtokens'; {TRACES}",
    ),
    "and one of JSON lines": (
        CLOSED + '[[stages]]\ntrace = "short.jsonl"\n',
        "line 6: stages[1].trace: trace DIR/short.jsonl: line 1: Object missing required field output_length",
    ),
    "a line that is no length": (
        CLOSED + 'output_tokens = "histogram:lengths.txt"\n',
        "line 5: stages[0].output_tokens: histogram DIR/lengths.txt, line 2: got 'ten 2', need a length and how "
        "often it occurs",
    ),
    "rate 0": ("[[stages]]\nrate = 0\nduration = 5\n", f"line 3: stages[0].rate: got '0', {RATE}"),
    "rate 0 in a list": ("[[stages]]\nrate = [1, 0]\nduration = 5\n", f"line 3: stages[0].rate: got '0', {RATE}"),
    "a rate above the highest": (
        "[[stages]]\nrate = 1\nduration = 5\n[[stages]]\nrate = [5, 5000]\nduration = 5\n",
        "line 6: stages[1].rate: 5000 rps is above --max-rate 1000",
    ),
    "a ramp above its plan's highest": (
        '[run]\nmax_rate = 10\n[[stages]]\nramp = "1..20/9s"\n',
        "line 5: stages[0].ramp: 20 rps is above --max-rate 10",
    ),
    "a concurrency above the highest": (
        "[[stages]]\nconcurrency = 5000\nduration = 5\n",
        "line 3: stages[0].concurrency: 5000 is above --max-in-flight 4096",
    ),
    "lengths of 0": (
        CLOSED + "input_tokens = 0\n",
        "line 5: stages[0].input_tokens: got '0', need tokens as a whole number from 1 to 10,000,000",
    ),
    "of a mix, too": (
        CLOSED + '[[mix]]\nname = "a"\noutput_tokens = 0\n',
        "line 7: mix[0].output_tokens: got '0', need tokens as a whole number from 1 to 10,000,000",
    ),
    "no turns": (
        CLOSED + "turns = 0\n",
        "line 5: stages[0].turns: got '0', need a number of turns from 1 to 1000, or a distribution such as 2..8 or "
        "exponential:4@1..20",
    ),
    "an unknown key": (
        "[[stages]]\nrat = 4\nduration = 5\n",
        "line 3: stages[0].rat: there is no such key, did you mean rate?",
    ),
    "of the plan": ('titel = "x"\n' + CLOSED, "line 2: titel: there is no such key, did you mean title?"),
    "an unknown option": (
        "[run]\nsede = 1\n" + CLOSED,
        "line 3: run.sede: there is no such option, did you mean seed?",
    ),
    "an unknown table": (
        CLOSED + "[slos]\ntargets = []\n",
        "line 5: slos: there is no such key, did you mean slo?",
    ),
    "a key of it": (
        CLOSED + "[slo]\ntarget = []\n",
        "line 6: slo.target: there is no such key, did you mean targets?",
    ),
    "a wrong type": (
        "[[stages]]\nconcurrency = 1.5\nduration = 5\n",
        "line 3: stages[0].concurrency: need a whole number or a list, got a number",
    ),
    "a text for a rate": (
        '[[stages]]\nrate = "fast"\nduration = 5\n',
        "line 3: stages[0].rate: need a number or a list, got a text",
    ),
    "a table for a list of them": (
        "[stages]\nrate = 1\n",
        "line 2: stages: need a list, got a table: write [[stages]]",
    ),
    "an option of a wrong type": (
        '[run]\nmax_in_flight = "x"\n' + CLOSED,
        "line 3: run.max_in_flight: got 'x', need a whole number of at least 1",
    ),
    "a file of an option": (
        f'[run]\nca = "none.pem"\n{CLOSED}',
        "line 3: run.ca: cannot read DIR/none.pem: No such file or directory; need a file that can be read",
    ),
    "a file that an option needs": (
        f'[run]\napi_key_file = "none.key"\n{CLOSED}',
        f"line 3: run.api_key_file: DIR/none.key: {NO_FILE}; need a file that holds it",
    ),
    "an option that needs another": (
        "[run]\nsystem_tokens = 5\n" + CLOSED,
        "line 3: run.system_tokens: got 5, which is of conversations; give --turns N as well",
    ),
    "no TOML": ("[[stages]\nrate = 1\n", "line 2: Expected ']]' at the end of an array declaration (column 9); need TOML"),
    "a value that stands twice": (
        "[[stages]]\nrate = 1\nrate = 2\n",
        "line 4: Cannot overwrite a value (column 9); need TOML",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan's, which is not the one that the command is typed in."""
    made = tmp_path_factory.mktemp("plans")
    for name, text in FILES.items():
        (made / name).write_text(text)
    with (made / "huge.txt").open("wb") as huge:
        huge.truncate(3 << 30)
    return made


@pytest.mark.parametrize(("plan", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_of_a_plan_is_one_line_with_the_plan_and_its_line_whoever_reads_it(
    typed: Command, directory: Path, plan: str, said: str
) -> None:
    file = directory / "p.toml"
    file.write_text(f'name = "p"\n{plan}')
    expected = f"ttftop: error: plan {file}, {said.replace('DIR', str(directory))}\n"
    for command in (("plan", "check", str(file)), ("run", URL, "--plan", str(file), "--headless")):
        done = typed(*command)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_what_was_typed_is_not_said_to_stand_in_the_plan(typed: Command, directory: Path) -> None:
    file = directory / "p.toml"
    file.write_text('name = "p"\n[run]\nca = "none.pem"\n' + CLOSED)
    done = typed("run", URL, "--plan", str(file), "--headless", "--ca", "typed.pem")
    assert (
        done.stderr
        == "ttftop: error: --ca: cannot read typed.pem: No such file or directory; need a file that can be read\n"
    )


def test_files_of_a_plan_are_looked_for_beside_it(typed: Command, directory: Path) -> None:
    (directory / "two.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:40,5,3\n2023-11-16 18:15:41,7,3\n"
    )
    (directory / "ten.txt").write_text("10 1\n")
    file = directory / "p.toml"
    file.write_text(
        f'name = "p"\n[run]\ninput_tokens = "histogram:ten.txt"\n[[stages]]\ntrace = "two.csv"\n{CLOSED}'
    )
    done = typed("plan", "show", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "trace two.csv" in done.stdout
