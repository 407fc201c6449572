"""What a file says of itself beside its samples or pixels: when the examination was made, and of whom.

Identities are held in memory only: they are compared, and never stored, shown or logged.
"""

import re
from dataclasses import dataclass
from datetime import datetime

# What recorders and de-identification write where they know nobody.
PLACEHOLDERS = {
    "", "anon", "anonym", "anonymous", "anonymized", "anonymised", "unknown", "none", "null", "na", "patient", "test",
    "name", "noname", "default", "deidentified", "removed", "x", "xx", "xxx",
}  # fmt: skip
_NOT_WORD = re.compile(r"[^0-9a-z]+")


def is_placeholder(text: str) -> bool:
    """True for an empty identifier, or one that many women share ("ANON", "0", "000000")."""
    plain = _NOT_WORD.sub("", text.casefold())
    return plain in PLACEHOLDERS or set(plain) <= {"0"} or plain.startswith(("anon", "deident"))


@dataclass(frozen=True)
class Identity:
    """Who a file says was examined.

    Attributes
    ----------
    identifier : str
        As the recorder knows her.
    issuer : str
        Who gave the identifier; where the file does not say, the kind of file, whose identifiers are compared among
        themselves only.
    birth_date : str
        YYYYMMDD; empty where the file does not say.
    """

    identifier: str
    issuer: str = ""
    birth_date: str = ""

    def differs(self, other: "Identity") -> bool:
        """Whether both cannot be one woman: another identifier of the same issuer, or another day of birth."""
        if self.issuer == other.issuer and self.identifier and other.identifier:
            return self.identifier != other.identifier
        return bool(self.birth_date and other.birth_date and self.birth_date != other.birth_date)


def identity(identifier: str, issuer: str = "", birth_date: str = "") -> Identity | None:
    """An identity without placeholders; None where nothing is left of it."""
    plain = "" if is_placeholder(identifier) else " ".join(identifier.split()).casefold()
    day = re.sub(r"\D", "", birth_date)
    day = day if len(day) == 8 and not day.startswith("1900") and int(day) else ""
    return Identity(plain, " ".join(issuer.split()).casefold(), day) if plain or day else None


@dataclass(frozen=True)
class Origin:
    """When an examination was made, and of whom.

    Attributes
    ----------
    made_at : datetime or None
        Start of the recording or acquisition of the picture; without a zone where the file states none.
    identity : Identity or None
    study : str
        Identifier of the study in the file, for comparison within one upload.
    """

    made_at: datetime | None = None
    identity: Identity | None = None
    study: str = ""


UNKNOWN_ORIGIN = Origin()
