"""Servers that want an API key; it is never repeated."""

from __future__ import annotations

import pytest

from tests.loadgen.probe.probe_runs import CANARY, failure, probed
from tests.loadgen.probe.servers import Asked, Reply, Vllm, as_json


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
