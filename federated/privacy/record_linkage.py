"""Finding women whose rows are at two sites, by keyed hashes that reveal nothing else.

The sites agree on a key through the server, which cannot read it (X25519, HKDF, ChaCha20-Poly1305): the first site by
name draws the key and encrypts it for each of the others. Each site then sends a keyed hash (HMAC-SHA-256, 16 bytes)
of every woman, record or examination: of her identifier in the hospital's ``identifiers.csv``, or else of her
measurements. The server sees which hashes two sites share. Without the key it cannot test names. This protects
against a server that follows the protocol.
"""

import csv
import hmac
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flwr.app import ConfigRecord, Context, Message, RecordDict

from federated.sites.data import birth_rows, ctg_rows, graded_rows, head_rows
from federated.sites.eligibility import IneligibleSiteError
from federated.sites.site import Site, folder_of_partition, site_of_partition
from federated.transport.grid import ConnectedSite, SiteGroup
from models.errors import InputError

IDENTIFIERS = "identifiers.csv"
SHARED = "duplicates.txt"
_NONCE = bytes(12)  # each encryption key is used once


def _sealing_key(private: X25519PrivateKey, public: bytes) -> bytes:
    agreed = private.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"linkage").derive(agreed)


def seal(key: bytes, private: X25519PrivateKey, public: bytes) -> str:
    """Encrypt the key for one reader."""
    return b64encode(ChaCha20Poly1305(_sealing_key(private, public)).encrypt(_NONCE, key, None)).decode()


def unseal(sealed: str, private: X25519PrivateKey, public: bytes) -> bytes:
    """Inverse of `seal`."""
    return ChaCha20Poly1305(_sealing_key(private, public)).decrypt(_NONCE, b64decode(sealed), None)


def identifiers(folder: Path) -> dict[str, str]:
    """Read the identifiers of a hospital's women: columns ``group`` and ``identifier`` of ``identifiers.csv``.

    Raises
    ------
    InputError
        The file has other columns.
    """
    path = folder / IDENTIFIERS
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    if rows and not {"group", "identifier"} <= set(rows[0]):
        raise InputError(f"{path}: columns group and identifier are needed")
    return {row["group"].strip(): " ".join(row["identifier"].split()).casefold() for row in rows}


def contents_of(site: Site) -> dict[str, bytes]:
    """The content that each of the site's groups is recognised by."""
    contents: dict[str, list[bytes]] = {}
    if site.modality == "ctg":
        table = ctg_rows(site)
        for woman, row in zip(table.woman.tolist(), table.features, strict=True):
            contents.setdefault(woman, []).append(row.tobytes())
    elif site.modality == "acidaemia":
        births = birth_rows(site)
        for name, ph, row in zip(births.names.tolist(), births.ph, births.features, strict=True):
            if np.isfinite(row).any():  # rows that cannot be assessed are not trained on, and all look the same
                contents.setdefault(name, []).append(ph.tobytes() + row.tobytes())
    elif site.modality == "grader":
        graded = graded_rows(site)
        for woman, row in zip(graded.woman.tolist(), graded.features, strict=True):
            contents.setdefault(woman, []).append(row.tobytes())
    else:
        for image in head_rows(site):
            contents.setdefault(image.examination, []).append(image.pixels.tobytes())
    identifier_of = identifiers(Path(site.data))
    return {
        group: f"id {identifier_of[group]}".encode() if group in identifier_of else b"".join(sorted(parts))
        for group, parts in contents.items()
    }


def marks(site: Site, key: bytes) -> dict[str, str]:
    """Keyed hash of each group."""
    scope = site.modality.encode() + b"\0"
    return {
        group: hmac.new(key, scope + content, sha256).hexdigest()[:32] for group, content in contents_of(site).items()
    }


def common(marks_of: Mapping[str, set[str]]) -> dict[tuple[str, str], set[str]]:
    """Marks that two sites share, by pair of sites."""
    names = sorted(marks_of)
    pairs = {(a, b): marks_of[a] & marks_of[b] for i, a in enumerate(names) for b in names[i + 1 :]}
    return {pair: shared for pair, shared in pairs.items() if shared}


def check_linkage(group: SiteGroup, sites: list[ConnectedSite]) -> None:
    """Refuse sites of one modality that hold rows of the same women.

    Raises
    ------
    IneligibleSiteError
        It names the sites; a file at each site names the women.
    """
    for modality in sorted({site.modality for site in sites}):
        peers = [site for site in sites if site.modality == modality]
        if len(peers) < 2:
            continue
        shared = common(_marks_of(group, peers))
        if not shared:
            continue
        for (first, second), duplicates in shared.items():
            query = RecordDict({"config": ConfigRecord({"marks": json.dumps(sorted(duplicates))})})
            list(group.ask([site for site in peers if site.name in (first, second)], "query.duplicates", query))
        words = ", ".join(f"{len(both)} at {first} and {second}" for (first, second), both in shared.items())
        raise IneligibleSiteError(
            f"{modality}: the same women stand at two sites ({words}); {SHARED} in each site's work folder names them: "
            "agree who keeps them"
        )


def _marks_of(group: SiteGroup, sites: list[ConnectedSite]) -> dict[str, set[str]]:
    """Let the sites agree on a key, and ask for their marks."""
    replies = group.ask(sites, "query.meet", RecordDict())
    public = {name: str(reply.content["key"]["public"]) for name, reply in replies}
    present = group.roster.present(sites)
    first = min(present, key=lambda site: site.name)
    query = RecordDict({"config": ConfigRecord({"public": json.dumps(public)})})
    ((_, drawn),) = group.ask([first], "query.draw", query)
    config = {"sealed": str(drawn.content["key"]["sealed"]), "public": public[first.name], "first": first.name}
    content = RecordDict({"config": ConfigRecord(dict(config))})
    return {
        name: set(json.loads(str(reply.content["marks"]["json"])))
        for name, reply in group.ask(present, "query.marks", content)
    }


def _site(context: Context) -> Site:
    return site_of_partition(int(context.node_config["partition-id"]))


def _private(context: Context) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(bytes(context.state["linkage"]["private"]))


def meet(message: Message, context: Context) -> Message:
    """Make a key pair for one linkage; the reply holds the public key."""
    private = X25519PrivateKey.generate()
    context.state["linkage"] = ConfigRecord({"private": private.private_bytes_raw()})
    public = b64encode(private.public_key().public_bytes_raw()).decode()
    return Message(RecordDict({"key": ConfigRecord({"public": public})}), reply_to=message)


def draw(message: Message, context: Context) -> Message:
    """Draw the key and encrypt it for each of the other sites."""
    private, key = _private(context), os.urandom(32)
    context.state["linkage"] = ConfigRecord({"private": private.private_bytes_raw(), "key": key})
    public = json.loads(str(message.content["config"]["public"]))
    sealed = {name: seal(key, private, b64decode(raw)) for name, raw in public.items() if name != _site(context).name}
    return Message(RecordDict({"key": ConfigRecord({"sealed": json.dumps(sealed)})}), reply_to=message)


def answer_marks(message: Message, context: Context) -> Message:
    """Answer with the marks of all groups of this site, sorted, so that their order reveals nothing."""
    site, config, stored = _site(context), message.content["config"], context.state["linkage"]
    if "key" in stored:
        key = bytes(stored["key"])
    else:
        key = unseal(json.loads(str(config["sealed"]))[site.name], _private(context), b64decode(str(config["public"])))
        context.state["linkage"] = ConfigRecord({"private": bytes(stored["private"]), "key": key})
    marks_json = json.dumps(sorted(marks(site, key).values()))
    return Message(RecordDict({"marks": ConfigRecord({"json": marks_json})}), reply_to=message)


def note_duplicates(message: Message, context: Context) -> Message:
    """Write the names of the shared women to a file in this site's own folder, and nowhere else."""
    site, shared = _site(context), set(json.loads(str(message.content["config"]["marks"])))
    key = bytes(context.state["linkage"]["key"])
    names = [group for group, mark in marks(site, key).items() if mark in shared]
    (folder_of_partition(int(context.node_config["partition-id"])) / SHARED).write_text(
        "\n".join(sorted(names)) + "\n", encoding="utf-8"
    )
    return Message(RecordDict(), reply_to=message)
