"""Plans as TOML: read, spread out to stages, refused in one line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sessions.plan.config import ConfigError
from sessions.plan.plan_file import PlanFile, read_plan
from sessions.plan.ramp import Ramp, mean_rate_rps
from sessions.plan.stages import Stage, estimate, scaled
from sessions.plan.toml_lines import line_of

HEAD = 'name = "p"\n'


def stages(text: str, *settings: str) -> list[Stage]:
    return PlanFile("p.toml", HEAD + text, settings).stages()


def refused(text: str, *settings: str) -> str:
    with pytest.raises(ConfigError) as error:
        PlanFile("p.toml", text, settings).stages()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_list_of_rates_makes_a_stage_each_with_times_in_step() -> None:
    found = stages('[[stages]]\nrate = [1, 2.5]\nduration = ["60s", 90]\nwarm_up = "10s"\n')
    assert [(s.name, s.rate_rps, s.duration_s, s.warm_up_s) for s in found] == [
        ("1 rps", 1.0, 60.0, 10.0),
        ("2.5 rps", 2.5, 90.0, 10.0),
    ]


def test_requests_may_follow_the_load() -> None:
    found = stages(
        '[[stages]]\nconcurrency = [1, 8]\nrequests = "10 * concurrency"\nwarm_up_requests = "2 * concurrency"\n'
    )
    assert [(s.concurrency, s.requests, s.warm_up_requests) for s in found] == [(1, 10, 2), (8, 80, 16)]


def test_lengths_are_outermost_then_repetitions_then_loads() -> None:
    found = stages(
        "[[stages]]\nconcurrency = [1, 2]\nrequests = 4\nrepeat = 2\n"
        'input_tokens = [128, "10..20"]\noutput_tokens = [64, 8]\n'
    )
    got = [(s.input_tokens, s.output_tokens, s.repetition, s.concurrency) for s in found]
    assert got == [
        (length, out, repeat, c)
        for length, out in ((128, 64), ("10..20", 8))
        for repeat in (1, 2)
        for c in (1, 2)
    ]
    assert found[0].name == "128 in, 64 out, concurrency 1, #1"


def test_a_ramp_ends_with_itself() -> None:
    (stage,) = stages('[[stages]]\nramp = "1..64/2m:exp"\n')
    assert (stage.ramp, stage.duration_s) == (Ramp(1.0, 64.0, 120.0, "exp"), 120.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEAD + "\n[[stages]]\nrat = 4\n",
            "p.toml, line 4: stages[0].rat: there is no such key, did you mean rate?",
        ),
        (HEAD + '\n[[stages]]\nrate = "4"\nduration=1\n', "p.toml, line 4: stages[0].rate: need "),
        (
            HEAD + "[[stages]]\nrate = 0\nduration = 1\n",
            "line 3: stages[0].rate: got '0', need a number above 0",
        ),
        (HEAD + "[[stages]]\nrate = 1\n", "line 2: stages[0]: it has no end"),
        (
            HEAD + '[[providers]]\ngpu="g"\nprovider="p"\nper_hour=inf\n',
            "line 5: providers[0].per_hour: got a number that is none, or has no end",
        ),
        (HEAD + "[[stages]]\nrate = [1, nan]\nduration = 1\n", "line 3: stages[0].rate[1]: got a number"),
        (
            HEAD + "[[stages]]\nduration = 1\n",
            "line 2: stages[0]: need one of rate, ramp, concurrency and trace",
        ),
        (
            HEAD + "[[stages]]\nrate=1\nconcurrency=2\nduration=1\n",
            "need one of rate, ramp, concurrency and trace",
        ),
        (HEAD + '[[stages]]\nrate=1\nduration="1w"\n', "line 4: stages[0].duration: got '1w'"),
        (HEAD + '[[stages]]\nrate=1\nrequests="2*concurrency"\n', "this stage has no concurrency"),
        (HEAD + "[[stages]]\nrate=[1,2]\nduration=[1,2,3]\n", "stages[0].rate: a list of 2 beside one of 3"),
        (
            HEAD + "[[stages]]\nrate=1\nduration=5\nwarm_up=5\n",
            "line 5: stages[0].warm_up: it is part of the",
        ),
        (
            HEAD + '[[stages]]\nrate=1\nduration=5\ninput_tokens="9..3"\n',
            "line 5: stages[0].input_tokens: got '9..3'",
        ),
        (HEAD + "[[stages]]\nrate=1\nduration=5\nrepeat=0\n", "line 5: stages[0].repeat: got 0"),
        (HEAD + "rnu = 3\n", "line 2: rnu: there is no such key, did you mean run?"),
        (
            HEAD + '[[stages]]\nbetween=["a","b"]\nduration=1\n',
            "line 3: stages[0].between: need the names of two stages",
        ),
        (HEAD + '[[stages]]\nbetween=["a","b"]\nrate=1\nduration=1\n', "it says the rates"),
        (
            HEAD + '[[stages]]\nstop="never"\nrate=1\nduration=1\n',
            "line 3: stages[0].stop: got 'never', need flat or failed",
        ),
        (HEAD, "stages: a plan needs at least one"),
        ("", "plan p.toml: name is missing"),
        ('name = "a b"\n', "line 1: name: got 'a b'"),
        ("name = \n", "p.toml, line 1: Invalid value (column 8)"),
        (HEAD + "[[stages]]\nrate=nan\nduration=1\n", "line 3: stages[0].rate: got a number that is none"),
        (HEAD + "[slo]\ntargets = 4\n", "line 3: slo.targets: need a list, got a whole number"),
        (HEAD + "[stages]\nrate = 1\n", "line 2: stages: need a list, got a table: write [[stages]]"),
        (
            HEAD + "[[stages]]\nconcurrency=1.5\nrequests=1\n",
            "line 3: stages[0].concurrency: need a whole number or a list, got a number",
        ),
        (
            HEAD + "[[stages]]\nrate=1979-05-27\n",
            "line 3: stages[0].rate: need a number or a list, got a date",
        ),
        (
            HEAD + "[[stages]]\nconcurrency=1\nrequests=1\ndrain=false\n",
            "line 5: stages[0].drain: without a duration",
        ),
        (
            HEAD + '[[published]]\ntitle="t"\nsource="s"\ncolumns=["a"]\nrows=[[1,2]]\n',
            "line 6: published[0].rows[0]: a row of 2 beside 1 columns",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text: str, said: str) -> None:
    assert said in refused(text)


def test_the_line_is_of_the_second_table_where_the_mistake_is_there() -> None:
    text = HEAD + "[[stages]]\nrate = 1\nduration = 1\n\n[[stages]]\nrate = -1 # x\nduration = 1\n"
    assert "p.toml, line 7: stages[1].rate" in refused(text)


def test_a_setting_takes_the_place_of_what_is_written() -> None:
    text = "[[stages]]\nrate = 1\nduration = 9\n"
    (stage,) = stages(text, "stages.0.rate=4", "stages.0.duration=2m")
    assert (stage.rate_rps, stage.duration_s) == (4.0, 120.0)
    assert "p.toml: stages[0].rate: got '-1'" in refused(HEAD + text, "stages.0.rate=-1")
    assert "--set: the plan p.toml has no place 'stages.7.rate'" in refused(HEAD + text, "stages.7.rate=1")
    assert "--set: got 'rate'" in refused(HEAD + text, "rate")


def test_what_a_plan_comes_to_is_estimated_as_far_as_it_is_known() -> None:
    found = stages(
        '[[stages]]\nrate = [2, 4]\nduration = "10s"\npause = "5s"\n'
        "[[stages]]\nconcurrency = 8\nrequests = 100\noutput_tokens = 10\n"
        '[[stages]]\nramp = "1..9/10s"\n'
    )
    got = estimate(found, lambda stage: (100, 50 if stage.output_tokens is None else 10))
    assert (got.seconds, got.requests, got.open_times, got.highest_rps) == (40.0, 60 + 100 + 50, 1, 9.0)
    assert got.open_numbers == 0
    assert got.output_tokens == pytest.approx(110 * 50 + 100 * 10)


def test_the_mean_of_an_exponential_ramp_is_that_of_its_curve() -> None:
    n = 100_000
    by_hand = sum(2 * 16 ** ((i + 0.5) / n) for i in range(n)) / n
    assert mean_rate_rps(Ramp(2.0, 32.0, 9.0, "exp")) == pytest.approx(by_hand, rel=1e-6)
    assert math.isclose(mean_rate_rps(Ramp(2.0, 32.0, 9.0)), 17.0)


def test_a_plan_at_a_tenth_has_a_tenth_of_times_and_requests_and_never_none() -> None:
    found = stages(
        "[[stages]]\nconcurrency=1\nrequests=[100,3]\nwarm_up_requests=2\n[[stages]]\nrate=1\nduration=60\n"
    )
    small = [scaled(stage, 0.1) for stage in found]
    assert [(s.requests, s.warm_up_requests, s.duration_s) for s in small] == [
        (10, 1, None),
        (1, 0, None),
        (None, 0, 6.0),
    ]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: cannot read it: No such file"):
        read_plan(tmp_path / "no.toml")
    (tmp_path / "b").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_plan(tmp_path / "b")
    (tmp_path / "big").write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(ConfigError, match="larger than"):
        read_plan(tmp_path / "big")


def test_a_key_that_is_not_there_is_looked_for_in_its_table() -> None:
    text = "a = 1\n[b]\nc = 2\n[[d]]\ne = 3\n[[d]]\n[d.f]\ng = 1\n"
    assert [line_of(text, path) for path in (("a",), ("b", "c"), ("b", "x"), ("d", 0, "e"), ("d", 1), ("z",))] == [
        1, 3, 2, 5, 6, None,
    ]  # fmt: skip


def test_a_warm_up_by_number_is_scaled_also_where_a_stage_ends_by_time() -> None:
    by_time = Stage("a", rate_rps=8.0, duration_s=60.0, warm_up_requests=20)
    assert scaled(by_time, 0.5).warm_up_requests == 10
    by_number = Stage("a", concurrency=1, requests=10, warm_up_requests=9)
    assert scaled(by_number, 0.1).warm_up_requests == 0  # its one request is measured


def test_a_stage_with_a_number_and_a_time_ends_with_what_is_up_first() -> None:
    assert Stage("a", rate_rps=2.0, requests=10, duration_s=60.0).longest_s == 5.0
    assert Stage("a", rate_rps=2.0, requests=200, duration_s=60.0).longest_s == 60.0
    assert Stage("a", concurrency=2, requests=200).longest_s is None


def test_a_plan_has_a_thousand_stages_at_the_most() -> None:
    table = "[[stages]]\nconcurrency = 1\nrequests = 1\nrepeat = 100\n"
    assert len(stages(table * 10)) == 1000
    assert refused(HEAD + table * 11).endswith("more than 1000 stages")


def test_a_warm_up_of_all_requests_leaves_nothing_to_measure() -> None:
    text = "[[stages]]\nconcurrency = 1\nrequests = 8\nwarm_up_requests = "
    assert stages(f"{text}7\n")[0].warm_up_requests == 7
    assert "nothing would be measured" in refused(f"{HEAD}{text}8\n")


def test_a_part_of_a_mix_stands_once() -> None:
    part = '[[mix]]\nname = "a"\ninput_tokens = 5\noutput_tokens = 5\n'
    end = "[[stages]]\nconcurrency = 1\nrequests = 1\n"
    assert stages(part + end)
    assert "a stands twice" in refused(HEAD + part + part + end)
