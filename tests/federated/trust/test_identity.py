"""Certificates and signatures."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from federated.coordinator.folder import FederationFolder
from federated.trust.identity import (
    expires,
    load_private,
    load_public,
    make_certificates,
    new_key,
    opened,
    private_pem,
    public_pem,
    signed,
)
from models.errors import InputError


def test_a_statement_is_opened_by_its_signers_key_only() -> None:
    key = load_private(private_pem(new_key()))
    statement = signed({"hospital": "anne", "n": 1}, key)
    assert opened(statement, load_public(public_pem(key.public_key()))) == {"hospital": "anne", "n": 1}
    with pytest.raises(InputError, match="does not fit"):
        opened(statement, new_key().public_key())
    with pytest.raises(InputError, match="does not fit"):
        opened({**statement, "payload": statement["payload"].replace("anne", "mary")}, key.public_key())
    for broken in ({}, {"payload": "{}"}, {"payload": "{}", "signature": "§"}, {"payload": 3, "signature": 4}):
        with pytest.raises(InputError):
            opened(broken, key.public_key())  # type: ignore[arg-type]


@pytest.mark.parametrize("pem", ["", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused(pem: str) -> None:
    with pytest.raises(InputError):
        load_public(pem)


def test_a_key_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(InputError, match="P-384"):
        load_public(pem.decode())


def test_the_servers_certificate_is_the_authoritys(tmp_path: Path) -> None:
    make_certificates(tmp_path, "north", "fed.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    assert ssl.create_default_context(cafile=str(tmp_path / "ca.crt")).cert_store_stats()["x509_ca"] == 1
    for secret in ("ca.key", "server.key"):
        assert (tmp_path / secret).stat().st_mode & 0o077 == 0


def test_a_certificate_is_renewed_before_it_ends_and_kits_stay_good(tmp_path: Path) -> None:
    federation = FederationFolder.create(tmp_path / "fed", "north", "127.0.0.1", 1, 2)
    authority = federation.authority
    federation.renew()
    before = (federation.path / "tls" / "server.crt").read_bytes()
    make_certificates(federation.path / "tls", "north", "127.0.0.1", days=10)
    assert (federation.path / "tls" / "server.crt").read_bytes() != before
    federation.renew()
    assert expires(federation.path / "tls" / "server.crt") > datetime.now(UTC) + timedelta(days=300)
    assert federation.authority == authority
    assert [line["what"] for line in federation.journal.lines()] == ["federation.created", "certificate.renewed"]
