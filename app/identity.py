"""Keyed marks of the identities that files state: two marks can be compared, but no name can be read from one.

The key lies in the installation's home, not in the database: a copy of the database alone reveals nothing.
"""

import hmac
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from models.errors import FetalHealthError
from models.origin import Identity

KEY_FILE = "identity.key"
KEY_BYTES = 32


def key_of(home: Path) -> bytes:
    """The installation's key; made when it is first asked for.

    Raises
    ------
    FetalHealthError
        The file cannot be read or written, or is damaged.
    """
    path = home / KEY_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            partial = path.with_name(f"{KEY_FILE}.{os.getpid()}")
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
                handle.write(os.urandom(KEY_BYTES))
            with suppress(FileExistsError):  # another process was first
                os.link(partial, path)
            partial.unlink()
        key = path.read_bytes()
    except OSError as error:
        raise FetalHealthError(f"{path}: {error.strerror}") from None
    if len(key) != KEY_BYTES:
        raise FetalHealthError(f"{path} is damaged: restore it from a backup, or remove it and lose what it compares")
    return key


def marks_of(key: bytes, identity: Identity) -> dict[str, str]:
    """Marks of issuer, identifier and day of birth, and which key made them; an unknown field has none."""
    fields = {"issuer": identity.issuer, "identifier": identity.identifier, "birth_date": identity.birth_date}
    return {"key": sha256(key).hexdigest()[:8]} | {
        name: hmac.new(key, f"{name}\0{value}".encode(), sha256).hexdigest()[:32]
        for name, value in fields.items()
        if value
    }


def differ(first: dict[str, str], second: dict[str, str]) -> bool:
    """As `Identity.differs`, of marks; those of another key, as after its loss, cannot be compared."""
    if first.get("key") != second.get("key"):
        return False
    if first.get("issuer") == second.get("issuer") and "identifier" in first and "identifier" in second:
        return first["identifier"] != second["identifier"]
    both = "birth_date" in first and "birth_date" in second
    return both and first["birth_date"] != second["birth_date"]
