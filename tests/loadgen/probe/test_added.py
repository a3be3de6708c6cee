"""What a person adds to every request: headers, fields, a certificate, a path, and more time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from pathlib import Path

import pytest
import trustme

from loadgen.probe.result import ProbeError
from loadgen.worker_config import Deadlines
from tests.loadgen.probe.probe_runs import CANARY, asking, failure, probed
from tests.loadgen.probe.servers import Asked, Reply, Vllm, as_json, serving


def routed(asked: Asked) -> Reply:
    """An ingress that routes by host, to a server that wants to know its tenant, and repeats what it got."""
    if asked.headers["host"] != "llama.models.example":
        return Reply(404, b"default backend - 404", "text/plain")
    if (tenant := asked.headers.get("x-tenant-id")) != CANARY:
        return as_json({"error": f"unknown tenant {tenant}"}, 401)
    return Vllm()(asked)


def test_headers_go_with_every_request_and_into_the_template() -> None:
    more = [("host", "llama.models.example"), ("x-tenant-id", CANARY)]
    found, served, _ = probed(routed, more_headers=more)
    assert all(asked.headers["x-tenant-id"] == CANARY for asked in served.asked)
    assert set(more) <= set(found.template.headers)
    assert CANARY not in repr(found)


def test_a_header_that_a_server_repeats_is_hidden() -> None:
    more = [("host", "llama.models.example"), ("x-tenant-id", f"{CANARY}x")]
    _, message = failure(routed, more_headers=more)  # which asserts that the canary is not in it
    assert message.endswith("(unknown tenant ***)")


def test_fields_go_into_every_body_and_null_leaves_one_of_ours_out() -> None:
    found, served, _ = probed(Vllm(), body={"temperature": 0.5, "min_tokens": None, "ignore_eos": False})
    bodies = served.bodies("/v1/completions")
    assert all((body["temperature"], body["ignore_eos"]) == (0.5, False) for body in bodies)
    assert not any("min_tokens" in body for body in bodies)
    fields = found.template.fields
    assert (fields["temperature"], fields["ignore_eos"], "min_tokens" in fields) == (0.5, False, False)


def test_a_field_that_a_person_added_and_the_server_refuses_is_not_dropped() -> None:
    def strict(asked: Asked) -> Reply:
        if asked.method == "POST" and "priority" in asked.json():
            return as_json({"error": {"message": "priority is not allowed"}}, 400)
        return Vllm()(asked)

    code, message = failure(strict, body={"priority": 1})
    assert code == 3
    assert "/v1/completions answers HTTP 400: priority is not allowed" in message


def test_the_server_is_given_the_time_that_the_load_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.probe.client.STREAM_S", 0.1)

    def slow(asked: Asked) -> Reply:
        return Reply(hang=True) if asked.method == "POST" else Vllm()(asked)

    code, message = failure(slow, deadlines=Deadlines(first_token_s=0.1))
    assert (code, message) == (
        3,
        "URL: no answer within 0.2 s (--timeout first-token=TIME waits longer); is the server stuck?",
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_the_client_is_shown_to_a_server_that_wants_one(
    version: ssl.TLSVersion, tmp_path: Path
) -> None:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(server_side)
    server_side.verify_mode = ssl.CERT_REQUIRED
    server_side.minimum_version = server_side.maximum_version = version
    ours = authority.issue_cert("client@llm.example")
    files = {name: str(tmp_path / name) for name in ("ca", "cert", "key", "both", "other", "locked")}
    authority.cert_pem.write_to_path(files["ca"])
    ours.cert_chain_pems[0].write_to_path(files["cert"])
    ours.private_key_pem.write_to_path(files["key"])
    ours.private_key_and_cert_chain_pem.write_to_path(files["both"])
    authority.issue_cert("x@y.example").private_key_pem.write_to_path(files["other"])

    async def refusal(url: str, **options: str) -> str:
        with pytest.raises(ProbeError) as caught:
            await asking(url, [], ca_file=files["ca"], **options)
        return str(caught.value)

    async def run() -> None:
        async with serving(Vllm(), ssl_context=server_side) as served:
            for given in (
                {"cert_file": files["both"]},
                {"cert_file": files["cert"], "cert_key_file": files["key"]},
            ):
                assert (await asking(served.url, [], ca_file=files["ca"], **given)).model == "small"
            assert "it may want a certificate of the client: --cert" in await refusal(served.url)
            for cert, key in (("cert", "other"), ("ca", "key"), ("key", "key")):
                said = await refusal(served.url, cert_file=files[cert], cert_key_file=files[key])
                assert said == (
                    f"--cert {files[cert]} --cert-key {files[key]}: "
                    "need a certificate and the key that belongs to it, in PEM form"
                )
            assert "No such file" in await refusal(served.url, cert_file=str(tmp_path / "none"))

    asyncio.run(run())


@pytest.mark.parametrize("linger_s", [None, 0], ids=["an end", "a reset"])
def test_however_a_server_that_wants_a_certificate_hangs_up_the_option_is_named(
    linger_s: int | None, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)

    def hang_up(listener: socket.socket) -> None:
        with listener, server_side.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(1)
            if linger_s is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, linger_s))

    listener = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    server = threading.Thread(target=hang_up, args=(listener,))
    server.start()
    with pytest.raises(ProbeError, match="it may want a certificate of the client: --cert"):
        asyncio.run(asking(url, [], ca_file=str(tmp_path / "ca")))
    server.join()


def test_a_path_that_is_named_is_the_only_one_asked() -> None:
    def sagemaker(asked: Asked) -> Reply:
        if asked.path != "/invocations":
            return as_json({"detail": "Not Found"}, 404)
        path = "/v1/chat/completions" if "messages" in asked.json() else "/v1/completions"
        return Vllm()(Asked(asked.method, path, asked.headers, asked.body))

    for endpoint in ("auto", "chat", "completions"):
        found, served, _ = probed(sagemaker, only_path="/invocations", model="small", endpoint=endpoint)
        assert found.template.path == "/invocations"
        assert {asked.path for asked in served.asked if asked.method == "POST"} <= {
            "/invocations",
            "/tokenize",
        }
