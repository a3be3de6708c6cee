"""What workers are told, of what was asked, probed and read: files packed and removed, ways of asking, templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadgen.probe.result import Capabilities, ProbeResult
from loadgen.workload.lengths import Fixed
from loadgen.workload.prefixes import Prefixes
from loadgen.workload.spec import FileWorkload, MixWorkload, PromptSpec, SyntheticWorkload
from loadgen.workload.template import RequestTemplate
from sessions.plan.config import ConfigError, PlanConfig, RunConfig, WorkloadConfig, stage_workload
from sessions.plan.mix import MixPart
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.run.asking import Asking, PromptFiles, Way, ways_of

CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def config(endpoint: Any = "auto", plan: PlanConfig | None = None, **work: Any) -> RunConfig:
    return RunConfig(TargetConfig("http://x", endpoint=endpoint), workload=WorkloadConfig(**work), plan=plan)


def probed(endpoint: Any, tokens: int = 256) -> ProbeResult:
    template = RequestTemplate(f"/v1/{endpoint}", [], endpoint, {"model": "m", "stream": True})
    form: Any = "ids" if endpoint == "completions" else "text"
    return ProbeResult("m", template, PromptSpec(form, tokens), 64, Capabilities(), (), 3, True, False)


@pytest.fixture
def chat_file(tmp_path: Path) -> str:
    file = tmp_path / "chat.jsonl"
    file.write_text(json.dumps(CHAT))
    return str(file)


def test_files_of_run_and_stages_are_packed_once_each_and_removed(tmp_path: Path, chat_file: str) -> None:
    text = tmp_path / "a.txt"
    text.write_text("one\ntwo\n")
    stages = [Stage("s", prompts=str(text)), Stage("t", prompts=chat_file), Stage("u", prompts=str(text))]
    files = PromptFiles(tmp_path)
    files.pack(config(prompts=chat_file, plan=PlanConfig("p", stages)))
    assert set(files.packed) == {str(text), chat_file}
    assert len(list(tmp_path.glob("prompts-*"))) == 2
    files.remove()
    assert not list(tmp_path.glob("prompts-*"))


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        ('{"prompt": 5}', "line 1: need str | null, got int"),
        ("", "it holds no prompt"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, holds: str | None, said: str) -> None:
    file = tmp_path / "p.jsonl"
    if holds is not None:
        file.write_text(holds)
    files = PromptFiles(tmp_path)
    with pytest.raises(ConfigError, match=r"p\.jsonl") as raised:
        files.pack(config(prompts=str(file)))
    assert said in str(raised.value)
    files.remove()
    assert not list(tmp_path.glob("prompts-*"))


def test_messages_need_chat(tmp_path: Path, chat_file: str) -> None:
    files = PromptFiles(tmp_path)
    files.pack(config(prompts=chat_file))
    assert ways_of(config(prompts=chat_file), files.packed) == [Way("chat", None)]
    assert ways_of(config("chat", prompts=chat_file), files.packed) == []
    with pytest.raises(ConfigError, match="it holds messages, and completions takes text; need chat"):
        ways_of(config("completions", prompts=chat_file), files.packed)
    part = MixPart(name="a", prompts=chat_file, endpoint="completions")
    with pytest.raises(ConfigError, match="need chat"):
        ways_of(config(mix=[part]), files.packed)


def test_parts_have_the_ways_and_fields_that_they_name() -> None:
    parts = [
        MixPart(name="plain", weight=2, output_tokens=5),
        MixPart(name="chat", endpoint="chat", input_tokens=9),
        MixPart(name="lora", model="l", body=["priority=1"]),
    ]
    asked = config(mix=parts, prefix="3x2x10", body=["temperature=0"])
    ways = ways_of(asked, {})
    assert ways == [Way("chat", None), Way(None, "l")]
    chat, lora = probed("chat"), probed("completions")
    spec = Asking(asked, probed("completions"), dict(zip(ways, (chat, lora), strict=True)), {}).spec(
        asked.workload
    )
    assert isinstance(spec, MixWorkload)
    assert [(part.name, part.weight) for part in spec.parts] == [("plain", 2), ("chat", 1), ("lora", 1)]
    plain, chat_part, lora_part = spec.parts
    assert plain.template is None
    assert plain.workload == SyntheticWorkload(
        PromptSpec("ids", 256), Fixed(256), Fixed(5), Prefixes(3, 2, 10)
    )
    assert chat_part.template is not None
    assert chat_part.template.endpoint == "chat"
    assert chat_part.workload.prompt.form == "text"
    assert lora_part.template is not None
    assert lora_part.template.fields == {"model": "m", "stream": True, "priority": 1}


def test_a_part_without_lengths_has_those_of_a_run_and_not_the_mean_of_the_mix() -> None:
    asked = config(mix=[MixPart(name="a"), MixPart(name="b", input_tokens=4000)])
    spec = Asking(asked, probed("completions", tokens=2128), {}, {}).spec(asked.workload)
    assert isinstance(spec, MixWorkload)
    assert [part.workload.input for part in spec.parts if isinstance(part.workload, SyntheticWorkload)] == [
        Fixed(256),
        Fixed(4000),
    ]


def test_kept_prompts_have_a_seed_of_their_own_and_a_defeated_file_a_salt(
    tmp_path: Path, chat_file: str
) -> None:
    asked = config("chat", prefix="3x2x10", cache="keep")
    spec = Asking(asked, probed("chat"), {}, {}).spec(asked.workload)
    assert isinstance(spec, SyntheticWorkload)
    assert spec.prompt_seed == 0
    files = PromptFiles(tmp_path)
    asked = config("chat", prompts=chat_file, cache="defeat", prompt_order="shuffled")
    files.pack(asked)
    told = Asking(asked, probed("chat"), {}, files.packed).spec(asked.workload)
    assert isinstance(told, FileWorkload)
    assert (told.salted, told.shuffled, told.output) == (True, True, Fixed(64))


def test_a_stage_with_lengths_of_its_own_is_of_no_mix_unless_it_names_one() -> None:
    run = WorkloadConfig(mix=[MixPart(name="a")], prefix="3x2x10")
    assert stage_workload(run, Stage("s")).mix == run.mix
    own = stage_workload(run, Stage("s", output_tokens=5, prefix=""))
    assert (own.mix, own.output_tokens, own.prefix) == ([], 5, "")
    weighed = [MixPart(name="a", weight=3)]
    assert stage_workload(run, Stage("s", output_tokens=5, mix=weighed)).mix == weighed
