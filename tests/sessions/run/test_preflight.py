"""What is said before the load of secrets that leave this machine unencrypted."""

from __future__ import annotations

import pytest

from loadgen.target.url import parse_target
from sessions.run.preflight import in_plain_text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "http://gpu-node:8000",
            "the API key goes to gpu-node in plain text: the URL is http://, not https://",
        ),
        (
            "http://10.1.2.3:8000/v1",
            "the API key goes to 10.1.2.3 in plain text: the URL is http://, not https://",
        ),
        ("http://localhost.example.org", "the API key goes to localhost.example.org in plain text"),
        ("https://gpu-node", ""),
        ("http://localhost:8000", ""),
        ("http://127.0.0.2:8000", ""),
        ("http://[::1]:8000", ""),
        ("unix:/run/vllm.sock", ""),
    ],
)
def test_a_key_that_leaves_this_machine_unencrypted_is_told(url: str, said: str) -> None:
    told = in_plain_text(parse_target(url), True, [])
    assert told.startswith(said)
    assert bool(told) == bool(said)
    assert in_plain_text(parse_target(url), False, []) == ""


def test_so_is_a_secret_header_by_its_name() -> None:
    told = in_plain_text(parse_target("http://gpu-node"), False, ["x-gateway-key"])
    assert told.startswith("the header x-gateway-key goes to gpu-node in plain text")
