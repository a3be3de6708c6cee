"""Prompts of exact length, and lengths that a context has room for."""

from __future__ import annotations

import pytest

from loadgen.workload.synthetic_prompt import prompt
from tests.loadgen.probe.probe_runs import failure, probed
from tests.loadgen.probe.servers import Asked, Reply, Vllm, as_json, llamacpp, models, stream, tgi


@pytest.mark.parametrize("double", [frozenset[str](), frozenset({"the", "of", "a", "zz", "people", "Q"})])
@pytest.mark.parametrize("tokenizer", [True, False])
@pytest.mark.parametrize("tokens", [20, 100, 1500])
def test_chat_prompts_have_the_exact_length_by_tokenize_or_by_usage(
    double: frozenset[str], tokenizer: bool, tokens: int
) -> None:
    server = Vllm(double=double, tokenizer=tokenizer)
    found, served, notes = probed(server, endpoint="chat", input_tokens=tokens)
    assert (found.prompt.form, found.input_exact, notes) == ("text", True, [])
    assert not double & set(found.prompt.words)
    assert len(found.prompt.words) >= 40
    assert found.warm_ups[-1].input_tokens == tokens
    assert found.capabilities.tokenize == ("vllm" if tokenizer else "")
    assert len(served.asked) <= 1 + 1 + 3 + 24 + 3
    text = prompt(found.prompt, 5, 0)
    assert isinstance(text, str)
    assert len(text.split()) + server.template == tokens


def test_the_dialects_of_other_tokenizers_are_understood() -> None:
    assert probed(llamacpp, endpoint="chat")[0].capabilities.tokenize == "llamacpp"
    found, _, _ = probed(tgi)
    assert found.capabilities.tokenize == "tgi"
    assert (found.template.endpoint, found.input_exact) == ("chat", True)


def test_a_prompt_shorter_than_its_template_is_as_short_as_can_be_and_said() -> None:
    found, _, notes = probed(Vllm(template=30), endpoint="chat", input_tokens=10)
    assert found.input_exact is False
    assert notes[-1].endswith("tokens instead of 10, as the server counts them")


def test_a_server_that_counts_nothing_gets_prompts_of_about_the_length_and_a_note() -> None:
    def mute(asked: Asked) -> Reply:
        if asked.path == "/tokenize":
            return as_json({}, 404)
        if asked.path.endswith("completions"):
            return stream([{"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}])
        return Vllm()(asked)

    found, _, notes = probed(mute, endpoint="chat")
    assert found.input_exact is None
    assert notes == ["the server does not count input tokens: prompts are of about the asked length"]
    assert found.capabilities.one_token_chunks is None


def test_lengths_beyond_the_context_are_refused_before_any_prompt_is_sent() -> None:
    code, message = failure(Vllm(context=128), input_tokens=100, output_tokens=32)
    assert code == 2
    assert message == (
        "URL: --input-tokens 100 and --output-tokens 32 (132 together) do not fit into the model's context of 128 tokens"
    )


def test_lengths_that_nobody_asked_for_are_cut_to_the_context() -> None:
    found, _, notes = probed(Vllm(context=128), input_tokens=100, output_tokens=32, lengths_given=False)
    assert (found.prompt.tokens, found.output_tokens) == (96, 32)
    assert found.template.fields["min_tokens"] == 32
    assert notes == ["the model's context is 128 tokens: input cut to 96 tokens, output to 32"]


def test_a_server_that_says_only_by_refusal_that_the_prompt_is_too_long_is_quoted() -> None:
    def silent(asked: Asked) -> Reply:
        return as_json(models("small")) if asked.path == "/v1/models" else Vllm(context=64)(asked)

    code, message = failure(silent)
    assert code == 2
    assert message.startswith("URL: --input-tokens 100 and --output-tokens 32 (132 together) do not fit into")
    assert message.endswith("(This model's maximum context length is 64 tokens.)")
