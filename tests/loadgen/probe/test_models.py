"""Which model is asked: the only one, the one that was named, or none."""

from __future__ import annotations

import pytest

from tests.loadgen.probe.probe_runs import failure, probed
from tests.loadgen.probe.servers import Asked, Reply, Server, Vllm, as_json, llamacpp, models, transformers


def test_several_models_and_none_named_are_listed() -> None:
    code, message = failure(lambda asked: as_json(models("a", "b\x1b[2J", *[f"m{n}" for n in range(20)])))
    assert code == 2
    assert message.startswith("URL: it serves several models, choose one with --model: a, b\\x1b[2J, m0, m1")
    assert message.endswith("and 10 more")


def test_one_of_several_models_is_taken_when_named() -> None:
    def two(asked: Asked) -> Reply:
        return as_json(models("small", "large")) if asked.path == "/v1/models" else Vllm()(asked)

    assert probed(two, model="small")[0].model == "small"


def test_an_unknown_model_is_refused_with_what_is_served() -> None:
    code, message = failure(Vllm(), model="nope")
    assert code == 3
    assert message == "URL: no model nope: it serves small (The model `nope` does not exist.)"
    code, message = failure(transformers, model="nope")
    assert code == 3
    assert message.startswith("URL: no model nope: see --model (Server is pinned to")


def test_a_model_that_is_not_listed_but_taken_is_noted() -> None:
    found, _, notes = probed(llamacpp, model="other")
    assert (found.model, found.capabilities.vocabulary) == ("other", 4096)
    assert notes == ["the server does not list model other; it lists small"]


def no_models(status: int, body: bytes = b"", kind: str = "text/plain") -> Server:
    return lambda asked: Reply(status, body, kind) if asked.path == "/v1/models" else Vllm()(asked)


@pytest.mark.parametrize("status", [404, 405, 500, 501])
def test_a_server_without_a_list_of_models_is_used_when_one_is_named(status: int) -> None:
    assert probed(no_models(status, b"Not Found"), model="small")[0].model == "small"
    code, message = failure(no_models(status, b"Not Found"))
    assert code == 3
    assert message == (
        f"URL: /v1/models answers HTTP {status} (Not Found); is it an OpenAI-compatible server? "
        "If so, name the model with --model"
    )


@pytest.mark.parametrize("body", [b"{}", b"", b"\xff", b'{"data":{}}', b"[" * 50_000])
def test_a_list_of_models_that_is_none_is_said(body: bytes) -> None:
    code, message = failure(no_models(200, body, "application/json"))
    assert (code, message) == (
        3,
        "URL: not an OpenAI-compatible server: /v1/models answers with something else than a list of models; "
        "if it is one, name the model with --model",
    )


def test_a_list_without_a_model_is_said() -> None:
    code, message = failure(lambda asked: as_json({"data": []}))
    assert (code, message) == (3, "URL: the server lists no model; name one with --model")


@pytest.mark.parametrize("row", [{"id": 7}, {"id": ""}, 7, {"id": "a" * 501}, {"id": "a" * 300_000}])
def test_a_list_without_a_usable_name_is_not_called_empty(row: object) -> None:
    code, message = failure(lambda asked: as_json({"data": [row, row]}))
    said = "URL: the server lists no model whose name is text of 1 to 500 letters; name one with --model"
    assert (code, message) == (3, said)


def test_nonsense_beside_a_model_is_ignored() -> None:
    row = {"id": "small", "max_model_len": -5, "owned_by": 7, "meta": [1], "context_length": "x"}

    def odd(asked: Asked) -> Reply:
        return (
            as_json({"data": [row, None, {"id": "small"}]}) if asked.path == "/v1/models" else Vllm()(asked)
        )

    can = probed(odd)[0].capabilities
    assert (can.context_tokens, can.vocabulary) == (None, None)
