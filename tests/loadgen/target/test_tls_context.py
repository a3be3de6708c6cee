"""What the surroundings ask of TLS and this machine cannot give is said by its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.target.tls_context import CertificateError, context


def test_a_file_for_tls_secrets_that_cannot_be_written_is_named_and_not_the_ca_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "none" / "secrets"
    monkeypatch.setenv("SSLKEYLOGFILE", str(secrets))
    with pytest.raises(CertificateError) as refused:
        context(None, insecure=False)
    assert str(refused.value).startswith(f"SSLKEYLOGFILE={secrets}: No such file or directory")


def test_a_ca_file_that_is_not_there_is_the_callers_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "secrets"))
    with pytest.raises(FileNotFoundError):
        context(str(tmp_path / "ca.pem"), insecure=False)
