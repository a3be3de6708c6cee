"""Servers that want an API key; it is never repeated."""

from __future__ import annotations

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


def test_the_key_shows_in_no_repr() -> None:
    found, _, _ = probed(Vllm(), key=CANARY)
    assert CANARY not in repr(found)
