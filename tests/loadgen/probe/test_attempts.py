"""What is tried next after the words real servers refuse with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgen.probe.attempts import WISHED, Attempt, NoContext, NoModel, first_attempts, next_attempt

IDS = Attempt("completions", "ids")
CHAT = Attempt("chat", "text")
BARE = replace(CHAT, dropped=frozenset(WISHED))


def without(*fields: str) -> Attempt:
    return replace(CHAT, dropped=frozenset(fields))


# (attempt, status, the server's words) -> what comes next; None: this endpoint and form have no more to offer
CASES: list[tuple[Attempt, int, str, Attempt | None]] = [
    # transformers serve
    (
        CHAT,
        422,
        "Unexpected fields in the request: {'ignore_eos', 'min_tokens'}",
        without("ignore_eos", "min_tokens"),
    ),
    (IDS, 400, "prompt must be a string.", None),
    # pydantic, as guidellm's mock shows it
    (IDS, 400, "4 validation errors\nprompt.str\n Input should be a valid string [input_value=[5, 6]]", None),
    # vLLM, SGLang, llama.cpp: ids beyond the vocabulary
    (IDS, 400, "Token id 19999 is out of vocabulary", replace(IDS, vocabulary_top=4000)),
    (replace(IDS, vocabulary_top=4000), 400, "out of vocabulary", replace(IDS, vocabulary_top=1000)),
    (
        replace(IDS, vocabulary_top=4096),
        400,
        "Prompt contains invalid tokens",
        replace(IDS, vocabulary_top=4000),
    ),
    (replace(IDS, vocabulary_top=1000), 400, "out of vocabulary", None),
    # OpenAI
    (
        CHAT,
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        replace(CHAT, max_tokens_field="max_completion_tokens"),
    ),
    (CHAT, 400, "Unrecognized request argument supplied: ignore_eos", without("ignore_eos")),
    (
        CHAT,
        400,
        "Unknown parameter: 'stream_options.continuous_usage_stats'.",
        without("continuous_usage_stats", "stream_options"),
    ),
    (
        CHAT,
        400,
        "include_usage: extra fields not permitted",
        without("stream_options", "continuous_usage_stats"),
    ),
    # a field whose name is part of another's is not meant
    (CHAT, 400, "max_min_tokens_x is odd", without(*(set(WISHED) - {"stream_options"}))),
    # no reason given: all extras go, then usage as well, then nothing is left to drop
    (CHAT, 400, "Bad Request", without(*(set(WISHED) - {"stream_options"}))),
    (without(*(set(WISHED) - {"stream_options"})), 500, "oops", BARE),
    (BARE, 400, "Bad Request", None),
    # vLLM without a chat template
    (BARE, 400, "default chat template is no longer allowed", None),
    # paths that are not there
    (CHAT, 404, '{"detail":"Not Found"}', None),
    (CHAT, 405, "Method Not Allowed", None),
    (CHAT, 501, "This server does not support chat", None),
]


@pytest.mark.parametrize(("attempt", "status", "text", "want"), CASES, ids=lambda value: str(value)[:50])
def test_a_refusal_leads_to_the_next_attempt(
    attempt: Attempt, status: int, text: str, want: Attempt | None
) -> None:
    assert next_attempt(attempt, status, text, "small") == want


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, "The model `nope` does not exist. Valid aliases: tiny."),
        (404, "nope is unknown here"),
        (400, "Server is pinned to '/models/tiny-hf'; requested 'nope'."),
        (400, "Invalid model name passed in model=nope"),
        (400, "model 'nope' not found, try pulling it first"),
    ],
)
def test_a_refusal_may_say_that_the_model_is_unknown(status: int, text: str) -> None:
    with pytest.raises(NoModel):
        next_attempt(CHAT, status, text, "nope")


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 2048 tokens. However, you requested 5064 tokens",
        "'max_tokens' or 'max_completion_tokens' is too large: 64. This model's maximum context length is 2048",
        "request (2530 tokens) exceeds the available context size (2048 tokens), try increasing it",
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 5000",
        "The prompt is too long: 5000, model maximum context length: 4096",
    ],
)
def test_a_refusal_may_say_that_the_prompt_is_too_long(text: str) -> None:
    with pytest.raises(NoContext):
        next_attempt(CHAT, 400, text, "small")


@pytest.mark.parametrize("start", [IDS, CHAT, Attempt("completions", "text")])
@pytest.mark.parametrize(
    "text", ["", "no", "vocabulary", "ignore_eos", " ".join(WISHED), "max_completion_tokens"]
)
def test_a_server_that_refuses_everything_is_given_up_after_a_few_attempts(start: Attempt, text: str) -> None:
    attempt: Attempt | None = start
    for _ in range(8):
        if attempt is None:
            return
        attempt = next_attempt(attempt, 400, text, "small")
    assert attempt is None


def test_an_attempt_asks_only_for_what_was_not_dropped() -> None:
    assert CHAT.fields("m", 9) == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "ignore_eos": True,
        "min_tokens": 9,
        "return_token_ids": True,
    }
    assert without("continuous_usage_stats", "min_tokens").fields("m", 9) == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "ignore_eos": True,
        "return_token_ids": True,
    }
    assert BARE.fields("m", 9) == {"model": "m", "stream": True}


@pytest.mark.parametrize(
    ("endpoint", "want"),
    [
        ("auto", ["completions ids", "chat text", "completions text"]),
        ("completions", ["completions ids", "completions text"]),
        ("chat", ["chat text"]),
    ],
)
def test_ways_are_tried_best_first(endpoint: str, want: list[str]) -> None:
    assert [f"{way.endpoint} {way.form}" for way in first_attempts(endpoint, None)] == want  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("vocabulary", "low", "high"),
    [(None, 1000, 20_000), (128_000, 1000, 20_000), (4096, 1000, 4096), (512, 128, 512), (2, 0, 2)],
)
def test_ids_stay_inside_a_known_vocabulary(vocabulary: int | None, low: int, high: int) -> None:
    spec = next(first_attempts("auto", vocabulary)).ids(64)
    assert (spec.form, spec.tokens, spec.vocab_low, spec.vocab_high) == ("ids", 64, low, high)
