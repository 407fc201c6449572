"""Secure aggregation: the server learns the sum over sites, and no single term.

Bonawitz K et al. Practical secure aggregation for privacy-preserving machine learning. CCS 2017 (honest but curious
server). Every pair of sites agrees on a key (X25519, HKDF) and masks its vectors with the same stream (ChaCha20): one
site adds it, and the other subtracts it. Each site also adds a stream of its own. The secrets are shared among the
sites (Shamir), so that the others can remove the masks of a site that disappears after masking. For each site,
another site reveals *either* the share of the own stream's seed *or* the share of the key, never both. So the server
cannot remove the masks of a present site by calling it lost. Values travel as fixed-point numbers modulo 2**64: their
sum is exact and cannot overflow.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from models.errors import FetalHealthError

Array = NDArray[np.float64]
Ring = NDArray[np.uint64]
PRIME = 2**521 - 1
POINT_BITS = 24
_SHARE_BYTES = 66
SEED, KEY = "seed", "key"


class SecureSumError(FetalHealthError):
    """A secure sum cannot be made; the message says why, and reveals nothing of a site."""


def threshold(sites: int) -> int:
    """Smallest number of sites that must be left at the end: more than half."""
    return sites // 2 + 1


def to_ring(values: Array, sites: int) -> Ring:
    """Fixed-point numbers modulo 2**64.

    Raises
    ------
    SecureSumError
        A value is not finite, or so large that a sum over `sites` could overflow.
    """
    scaled = np.rint(values * 2.0**POINT_BITS)
    if not np.isfinite(scaled).all() or (np.abs(scaled) * sites >= 2.0**62).any():
        raise SecureSumError("a value is not finite, or too large for the ring of the sum")
    return scaled.astype(np.int64).view(np.uint64)


def from_ring(total: Ring) -> Array:
    """Inverse of `to_ring`, for a sum."""
    return total.view(np.int64) / 2.0**POINT_BITS


def stream(key: bytes, label: str, length: int) -> Ring:
    """Pseudo-random numbers from a 32-byte key."""
    nonce = sha256(label.encode()).digest()[:16]
    encryptor = Cipher(ChaCha20(key, nonce), mode=None).encryptor()
    return np.frombuffer(encryptor.update(bytes(8 * length)), dtype=np.uint64)


def split(secret: bytes, names: Sequence[str], needed: int) -> dict[str, int]:
    """Shamir's shares of a secret of at most 64 bytes, by name; `needed` of them recover it."""
    coefficients = [int.from_bytes(secret), *(int.from_bytes(os.urandom(72)) % PRIME for _ in range(needed - 1))]
    shares = {}
    for x, name in enumerate(sorted(names), start=1):
        value = 0
        for coefficient in reversed(coefficients):
            value = (value * x + coefficient) % PRIME
        shares[name] = value
    return shares


def join(shares: Mapping[str, int], names: Sequence[str], needed: int, size: int = 32) -> bytes:
    """Recover a secret from shares; `names` are all sites that it was split among.

    Raises
    ------
    SecureSumError
        There are too few shares, or they belong to different secrets.
    """
    if len(shares) < needed:
        raise SecureSumError(f"{len(shares)} sites are left of the sum, {needed} are needed")
    places = {name: x for x, name in enumerate(sorted(names), start=1)}
    used = {places[name]: shares[name] for name in sorted(shares)[:needed]}
    secret = 0
    for x, value in used.items():
        above = below = 1
        for other in used:
            if other != x:
                above = above * -other % PRIME
                below = below * (x - other) % PRIME
        secret = (secret + value * above * pow(below, -1, PRIME)) % PRIME
    try:
        return secret.to_bytes(size)
    except OverflowError:
        raise SecureSumError("the shares of the sum do not fit together") from None


def _derived(private: X25519PrivateKey, public: bytes, purpose: str) -> bytes:
    agreed = private.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(agreed)


@dataclass(frozen=True)
class PublicKeys:
    """The public keys of a site: one encrypts shares, one derives masks."""

    channel: bytes
    mask: bytes

    def as_bytes(self) -> bytes:
        """Both keys as 64 bytes."""
        return self.channel + self.mask

    @classmethod
    def from_bytes(cls, raw: bytes) -> "PublicKeys":
        """Inverse of `as_bytes`."""
        if len(raw) != 64:
            raise SecureSumError("a public key of the sum is damaged")
        return cls(raw[:32], raw[32:])


class Member:
    """One site in one sum; its keys are used once.

    Parameters
    ----------
    name : str
    secrets : bytes, optional
        From the attribute `secrets`, to continue in a later message.
    """

    def __init__(self, name: str, secrets: bytes | None = None) -> None:
        self.name = name
        raw = secrets or os.urandom(96)
        self.secrets = raw
        self._channel = X25519PrivateKey.from_private_bytes(raw[:32])
        self._mask = X25519PrivateKey.from_private_bytes(raw[32:64])
        self._seed = raw[64:]

    def public(self) -> PublicKeys:
        """The public keys, for the other sites."""
        return PublicKeys(self._channel.public_key().public_bytes_raw(), self._mask.public_key().public_bytes_raw())

    def shares(self, members: Mapping[str, PublicKeys]) -> dict[str, bytes]:
        """Encrypted shares of this site's seed and key, one for each site including itself; only that site can read it.

        Raises
        ------
        SecureSumError
            Fewer than three sites: with two, each would know the other's term from the sum.
        """
        if len(members) < 3:
            raise SecureSumError(f"a secure sum needs at least three sites, there are {len(members)}")
        names, needed = list(members), threshold(len(members))
        seeds, keys = split(self._seed, names, needed), split(self.secrets[32:64], names, needed)
        encrypted = {}
        for name, public in members.items():
            text = seeds[name].to_bytes(_SHARE_BYTES) + keys[name].to_bytes(_SHARE_BYTES)
            nonce = os.urandom(12)
            cipher = ChaCha20Poly1305(_derived(self._channel, public.channel, "shares"))
            encrypted[name] = nonce + cipher.encrypt(nonce, text, f"{self.name}>{name}".encode())
        return encrypted

    def masked(self, values: Array, members: Mapping[str, PublicKeys], label: str) -> Ring:
        """The site's vector with all its masks."""
        total = to_ring(values, len(members)) + stream(self._seed, label, len(values))
        for name, public in members.items():
            if name != self.name:
                pair = stream(_derived(self._mask, public.mask, "mask"), label, len(values))
                total = total + pair if self.name < name else total - pair
        return total

    def reveal(
        self, received: Mapping[str, bytes], members: Mapping[str, PublicKeys], present: Sequence[str]
    ) -> dict[str, tuple[str, int]]:
        """One share for every site: of its seed if it is present, of its key if it is lost.

        Raises
        ------
        SecureSumError
            Too few sites are present, this site is said to be lost, or a share was meant for another site.
        """
        if len(present) < threshold(len(members)) or self.name not in present:
            raise SecureSumError("too few sites are left of the sum: nothing is revealed")
        revealed = {}
        for name, packed in received.items():
            cipher = ChaCha20Poly1305(_derived(self._channel, members[name].channel, "shares"))
            try:
                text = cipher.decrypt(packed[:12], packed[12:], f"{name}>{self.name}".encode())
            except InvalidTag:
                raise SecureSumError(f"the share from {name} was changed on its way") from None
            if name in present:
                revealed[name] = SEED, int.from_bytes(text[:_SHARE_BYTES])
            else:
                revealed[name] = KEY, int.from_bytes(text[_SHARE_BYTES:])
        return revealed


def unmask(
    masked: Mapping[str, Ring],
    members: Mapping[str, PublicKeys],
    revealed: Mapping[str, Mapping[str, tuple[str, int]]],
    label: str,
) -> Array:
    """The sum over the sites that replied, from masked vectors and revealed shares.

    Parameters
    ----------
    masked : mapping of site to vector
        Masked vectors of the sites that are present.
    revealed : mapping of site to (mapping of site to share)
        The shares that each present site revealed.
    """
    names, needed = list(members), threshold(len(members))
    total: Ring = np.add.reduce(np.array(list(masked.values())), axis=0, dtype=np.uint64)
    length = len(total)
    for name in names:
        kind = SEED if name in masked else KEY
        shares = {by: of[name][1] for by, of in revealed.items() if name in of and of[name][0] == kind}
        secret = join(shares, names, needed)
        if kind == SEED:
            total = total - stream(secret, label, length)
            continue
        lost = X25519PrivateKey.from_private_bytes(secret)
        for other in masked:
            pair = stream(_derived(lost, members[other].mask, "mask"), label, length)
            total = total - pair if other < name else total + pair
    return from_ring(total)


def packed(values: Mapping[str, tuple[str, int]]) -> str:
    """Revealed shares as JSON."""
    return json.dumps({name: [kind, str(share)] for name, (kind, share) in values.items()})


def unpacked(text: str) -> dict[str, tuple[str, int]]:
    """Inverse of `packed`."""
    return {name: (str(kind), int(share)) for name, (kind, share) in json.loads(text).items()}
