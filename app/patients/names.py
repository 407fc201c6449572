"""Pseudonyms: which a new woman may have, when two are the same, and when two are easily taken for each other."""

import re
import unicodedata

from models.errors import InputError

# It stands in addresses: no slash, and neither "." nor "..".
NEW = re.compile(r"[^\W_][\w .:-]*")
MOST_LETTERS = 160  # some signs become many letters
ALIKE = str.maketrans({"o": "0", "i": "1", "l": "1"})


def search_key(pseudonym: str) -> str:
    """The form of a pseudonym by which it is searched: case and width of letters do not count."""
    return unicodedata.normalize("NFKC", pseudonym).casefold()[:400]


def unique_key(pseudonym: str) -> str:
    """The form of which there is one woman: as `search_key`, and spaces at the ends do not count either."""
    return search_key(pseudonym).strip()


def likenesses(pseudonym: str) -> tuple[str, str]:
    """Two forms; names that agree in either are easily taken for each other.

    Punctuation, leading zeros, and the differences between O and 0 and between I, l and 1 do not count. Zeros are
    leading ones in each group of digits in the first form, and after punctuation is removed in the second.
    """
    alike = unique_key(pseudonym).translate(ALIKE)
    groups = re.split(r"[\W_]+", alike)
    return "".join(map(_without_zeros, groups)), _without_zeros("".join(groups))


def _without_zeros(text: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def check_new(pseudonym: str) -> None:
    """Refuse a pseudonym that cannot stand in an address.

    Raises
    ------
    InputError
        It begins with neither a letter nor a digit, or holds a character other than those and ``. : - _`` and spaces.
    """
    if not NEW.fullmatch(pseudonym) or len(search_key(pseudonym)) > MOST_LETTERS:
        raise InputError(
            f"pseudonym {pseudonym!r}: begin with a letter or a digit, and use letters, digits, spaces and . : - _ only"
        )
