"""Servers that want an API key; it is never repeated."""

from __future__ import annotations

import base64
from dataclasses import replace

import msgspec
import pytest

from tests.loadgen.probe.probe_runs import CANARY, failure, probed
from tests.loadgen.probe.servers import Asked, Reply, Vllm, as_json, models


def guarded(asked: Asked) -> Reply:
    """Wants a key, and repeats the one it got, as some do."""
    given = asked.headers.get("authorization", "")
    if given == "Bearer right":
        return Vllm()(asked)
    return as_json({"error": {"message": f"Incorrect API key provided: {given}."}}, 401)


def test_a_missing_key_is_asked_for_and_a_wrong_one_is_refused_without_being_repeated() -> None:
    code, message = failure(guarded)
    assert code == 3
    assert message.startswith(
        "URL: 401 Unauthorized: set TTFTOP_API_KEY or give --api-key-file (Incorrect API key"
    )
    code, message = failure(guarded, key=CANARY)
    assert code == 3
    assert message == (
        "URL: 401 Unauthorized: the key is not accepted (Incorrect API key provided: Bearer ***.)"
    )
    assert probed(guarded, key="right")[0].model == "small"


def test_a_list_of_models_may_be_open_and_the_rest_guarded() -> None:
    def half(asked: Asked) -> Reply:
        return Vllm()(asked) if asked.path == "/v1/models" else guarded(asked)

    assert "401 Unauthorized" in failure(half)[1]
    assert probed(half, key="right")[0].model == "small"


def test_403_is_told_from_401() -> None:
    code, message = failure(lambda asked: as_json({"detail": "no"}, 403), key=CANARY, model="small")
    assert (code, message) == (3, "URL: 403 Forbidden: the key is not allowed here (no)")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("closed", "open_"), [("completions", "chat"), ("chat/completions", "completions")])
def test_a_key_may_be_good_for_one_endpoint_only(status: int, closed: str, open_: str) -> None:
    def scoped(asked: Asked) -> Reply:
        if asked.path == f"/v1/{closed}":
            return as_json({"error": {"message": "Missing scopes: api.write"}}, status)
        if asked.path == "/v1/completions" and isinstance(asked.json()["prompt"], list):
            return as_json({"error": {"message": "prompt must be a string"}}, 400)
        return Vllm()(asked)

    found, served, notes = probed(scoped, key=CANARY)
    assert found.template.endpoint == open_
    assert len(served.bodies(f"/v1/{closed}")) == 1
    if open_ == "chat":
        said = f"HTTP {status}: Missing scopes: api.write"
        assert notes == [f"chat instead of completions with token ids ({said})"]


def test_the_key_shows_in_no_repr() -> None:
    found, _, _ = probed(Vllm(), key=CANARY)
    assert CANARY not in repr(found)


CANARY_IN_BASE64 = base64.b64encode(f"Bearer {CANARY}".encode()).decode()


@pytest.mark.parametrize("name", [CANARY, f"m-{CANARY}-x", CANARY_IN_BASE64, CANARY.encode().hex()])
def test_a_model_that_is_called_by_our_key_is_asked_for_and_not_told(name: str) -> None:
    def server(asked: Asked) -> Reply:
        if asked.path == "/v1/models":
            return as_json(models(name, owned_by=CANARY_IN_BASE64), server=CANARY)
        assert name.encode() in asked.body
        return Vllm()(replace(asked, body=asked.body.replace(name.encode(), b"small")))

    found, _, notes = probed(server, key=CANARY)
    assert found.template.fields["model"] == name
    told = msgspec.json.encode([found.model, msgspec.structs.asdict(found.capabilities), notes]).decode()
    assert "***" in found.model
    assert "CANARY" not in told
    assert name not in told


def test_models_to_choose_from_are_listed_without_our_key() -> None:
    code, message = failure(lambda asked: as_json(models("a", CANARY, CANARY_IN_BASE64)), key=CANARY)
    assert code == 2
    assert message.endswith("choose one with --model: a, ***, ***")


def test_where_a_server_redirects_to_is_told_without_our_key() -> None:
    moved = Reply(
        307, b"", "text/plain", {"location": f"http://elsewhere/{CANARY.encode().hex().upper()}/v1"}
    )
    code, message = failure(lambda asked: moved, key=CANARY)
    assert code == 3
    assert "it redirects to http://elsewhere/***" in message
