"""Women who stand at two sites, found by keyed hashes that tell nothing else.

The sites agree on a key through the server, which cannot read it (X25519, HKDF, ChaCha20-Poly1305): the first by name
draws it and seals it for each of the others. Each site then tells a keyed hash (HMAC-SHA-256, 16 bytes) of every woman,
record or examination: of what the hospital's ``identifiers.csv`` says of her, else of her measurements. The server sees
which hashes two sites share, and without the key cannot try names. Against a server that follows the protocol.
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

from federated.sites.data import Site, birth_rows, ctg_rows, head_rows, mine
from federated.sites.fitness import UnfitSiteError
from federated.transport.errors import own_folder
from federated.transport.grid import Federation, Node
from models.errors import InputError

IDENTIFIERS = "identifiers.csv"
SHARED = "duplicates.txt"
_NONCE = bytes(12)  # every sealing key is used once


def _sealing_key(private: X25519PrivateKey, public: bytes) -> bytes:
    agreed = private.exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"linkage").derive(agreed)


def seal(key: bytes, private: X25519PrivateKey, public: bytes) -> str:
    """The key for one reader."""
    return b64encode(ChaCha20Poly1305(_sealing_key(private, public)).encrypt(_NONCE, key, None)).decode()


def unseal(sealed: str, private: X25519PrivateKey, public: bytes) -> bytes:
    """Inverse of `seal`."""
    return ChaCha20Poly1305(_sealing_key(private, public)).decrypt(_NONCE, b64decode(sealed), None)


def identifiers(folder: Path) -> dict[str, str]:
    """What a hospital says of its women: columns ``group`` and ``identifier`` of ``identifiers.csv``.

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
    """What each of the site's groups is recognised by."""
    made: dict[str, list[bytes]] = {}
    if site.modality == "ctg":
        table = ctg_rows(site)
        for woman, row in zip(table.woman.tolist(), table.features, strict=True):
            made.setdefault(woman, []).append(row.tobytes())
    elif site.modality == "acidaemia":
        births = birth_rows(site)
        for name, ph, row in zip(births.names.tolist(), births.ph, births.features, strict=True):
            if np.isfinite(row).any():  # what cannot be assessed is not trained on, and looks all the same
                made.setdefault(name, []).append(ph.tobytes() + row.tobytes())
    else:
        for image in head_rows(site):
            made.setdefault(image.examination, []).append(image.pixels.tobytes())
    said = identifiers(Path(site.data))
    return {
        group: f"id {said[group]}".encode() if group in said else b"".join(sorted(parts))
        for group, parts in made.items()
    }


def marks(site: Site, key: bytes) -> dict[str, str]:
    """Keyed hash of each group."""
    scope = site.modality.encode() + b"\0"
    return {
        group: hmac.new(key, scope + content, sha256).hexdigest()[:32] for group, content in contents_of(site).items()
    }


def common(told: Mapping[str, set[str]]) -> dict[tuple[str, str], set[str]]:
    """Marks that two sites share, by pair of sites."""
    names = sorted(told)
    pairs = {(a, b): told[a] & told[b] for i, a in enumerate(names) for b in names[i + 1 :]}
    return {pair: shared for pair, shared in pairs.items() if shared}


def check_linkage(federation: Federation, nodes: list[Node]) -> None:
    """Refuse sites of one modality that hold the same women.

    Raises
    ------
    UnfitSiteError
        Naming the sites; their own logs name the women.
    """
    for modality in sorted({node.modality for node in nodes}):
        held = [node for node in nodes if node.modality == modality]
        if len(held) < 2:
            continue
        shared = common(_told(federation, held))
        if not shared:
            continue
        for (first, second), found in shared.items():
            asked = RecordDict({"config": ConfigRecord({"marks": json.dumps(sorted(found))})})
            list(federation.ask([node for node in held if node.name in (first, second)], "query.duplicates", asked))
        words = ", ".join(f"{len(found)} at {first} and {second}" for (first, second), found in shared.items())
        raise UnfitSiteError(
            f"{modality}: the same women stand at two sites ({words}); {SHARED} in each site's work folder names them: "
            "agree who keeps them"
        )


def _told(federation: Federation, held: list[Node]) -> dict[str, set[str]]:
    met = federation.ask(held, "query.meet", RecordDict())
    public = {name: str(reply.content["key"]["public"]) for name, reply in met}
    present = federation.roster.present(held)
    first = min(present, key=lambda node: node.name)
    asked = RecordDict({"config": ConfigRecord({"public": json.dumps(public)})})
    ((_, drawn),) = federation.ask([first], "query.draw", asked)
    config = {"sealed": str(drawn.content["key"]["sealed"]), "public": public[first.name], "first": first.name}
    content = RecordDict({"config": ConfigRecord(dict(config))})
    return {
        name: set(json.loads(str(reply.content["marks"]["json"])))
        for name, reply in federation.ask(present, "query.marks", content)
    }


def _site(context: Context) -> Site:
    return mine(int(context.node_config["partition-id"]))


def _private(context: Context) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(bytes(context.state["linkage"]["private"]))


def meet(message: Message, context: Context) -> Message:
    """A key pair for one linkage; the public half goes out."""
    private = X25519PrivateKey.generate()
    context.state["linkage"] = ConfigRecord({"private": private.private_bytes_raw()})
    public = b64encode(private.public_key().public_bytes_raw()).decode()
    return Message(RecordDict({"key": ConfigRecord({"public": public})}), reply_to=message)


def draw(message: Message, context: Context) -> Message:
    """Draw the key and seal it for each of the others."""
    private, key = _private(context), os.urandom(32)
    context.state["linkage"] = ConfigRecord({"private": private.private_bytes_raw(), "key": key})
    public = json.loads(str(message.content["config"]["public"]))
    sealed = {name: seal(key, private, b64decode(raw)) for name, raw in public.items() if name != _site(context).name}
    return Message(RecordDict({"key": ConfigRecord({"sealed": json.dumps(sealed)})}), reply_to=message)


def tell_marks(message: Message, context: Context) -> Message:
    """The marks of all groups here, sorted, so that their order tells nothing."""
    site, config, kept = _site(context), message.content["config"], context.state["linkage"]
    if "key" in kept:
        key = bytes(kept["key"])
    else:
        key = unseal(json.loads(str(config["sealed"]))[site.name], _private(context), b64decode(str(config["public"])))
        context.state["linkage"] = ConfigRecord({"private": bytes(kept["private"]), "key": key})
    told = json.dumps(sorted(marks(site, key).values()))
    return Message(RecordDict({"marks": ConfigRecord({"json": told})}), reply_to=message)


def note_duplicates(message: Message, context: Context) -> Message:
    """Name the shared women in this site's own folder, and nowhere else."""
    site, asked = _site(context), set(json.loads(str(message.content["config"]["marks"])))
    key = bytes(context.state["linkage"]["key"])
    names = [group for group, mark in marks(site, key).items() if mark in asked]
    (own_folder(context) / SHARED).write_text("\n".join(sorted(names)) + "\n", encoding="utf-8")
    return Message(RecordDict(), reply_to=message)
