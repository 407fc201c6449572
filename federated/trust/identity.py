"""Identities: the federation's certificates (X.509) and the keys that hospitals sign with (ECDSA on P-384)."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federated.files import write_secret
from models.errors import InputError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey
CERTIFICATE_DAYS, RENEW_DAYS, AUTHORITY_DAYS = 397, 30, 3650
_ALGORITHM = ec.ECDSA(hashes.SHA384())


def new_key() -> PrivateKey:
    """Make a private key of the kind by which Flower authenticates nodes."""
    return ec.generate_private_key(ec.SECP384R1())


def private_pem(key: PrivateKey) -> bytes:
    """The key as PKCS #8, not encrypted: the mode of the file protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: PublicKey) -> str:
    """The public key in PEM format."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def load_private(pem: bytes) -> PrivateKey:
    """Inverse of `private_pem`."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError("the key is not of the kind that this federation uses; ask for a new kit")
    return key


def load_public(pem: str) -> PublicKey:
    """Inverse of `public_pem`."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except ValueError:
        raise InputError("that is no public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise InputError("the key is not of the kind that this federation uses (ECDSA P-384)")
    return key


def signed(payload: dict[str, Any], key: PrivateKey) -> dict[str, str]:
    """Sign a statement."""
    text = json.dumps(payload, sort_keys=True)
    return {"payload": text, "signature": b64encode(key.sign(text.encode(), _ALGORITHM)).decode()}


def opened(statement: dict[str, str], key: PublicKey) -> dict[str, Any]:
    """Check the signature of a statement and return its content; inverse of `signed`.

    Raises
    ------
    InputError
        It was signed by another key, or changed.
    """
    try:
        key.verify(b64decode(statement["signature"]), statement["payload"].encode(), _ALGORITHM)
        payload = json.loads(statement["payload"])
    except (InvalidSignature, KeyError, ValueError, TypeError, AttributeError):
        raise InputError("the signature does not fit: this key is not the one that was registered") from None
    return dict(payload)


def make_certificates(folder: Path, federation: str, host: str, days: int = CERTIFICATE_DAYS) -> None:
    """Make the federation's own certificate authority and the server's certificate, which the authority signs.

    An existing authority is kept, so that kits stay valid; the server's certificate is replaced.

    Parameters
    ----------
    folder : Path
        Receives ``ca.crt``, ``ca.key``, ``server.crt``, ``server.key``.
    federation : str
        Name of the federation in the certificates.
    host : str
        Name or address under which hospitals reach the server.
    days : int
        Validity of the server's certificate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{federation} federation")])
    if not (folder / "ca.key").exists():
        fresh = new_key()
        basic = x509.BasicConstraints(ca=True, path_length=0)
        ca = _builder(issuer, issuer, fresh.public_key(), AUTHORITY_DAYS).add_extension(basic, critical=True)
        (folder / "ca.crt").write_bytes(_signed(ca, fresh))
        write_secret(folder / "ca.key", private_pem(fresh))
    authority, server = load_private((folder / "ca.key").read_bytes()), new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    names = x509.SubjectAlternativeName([*{_general_name(name) for name in (host, "localhost", "127.0.0.1")}])
    leaf = (
        _builder(subject, issuer, server.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    (folder / "server.crt").write_bytes(_signed(leaf, authority))
    write_secret(folder / "server.key", private_pem(server))


def _builder(subject: x509.Name, issuer: x509.Name, key: PublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5 if days > 0 else 60 * 24 * 3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: PrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def expires(certificate: Path) -> datetime:
    """Time at which a certificate expires."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
