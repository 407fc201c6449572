"""Additive queries over Flower: summed at the server, in clear or under masks that only the sum lays down.

A secure sum is four exchanges: keys, shares of them, masked vectors, and what frees the sum. A site that is lost before
it masked starts the sum anew among the others; one that is lost after is taken out by their shares.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable
from numpy.typing import NDArray

from federated.privacy.secure_aggregation import Member, PublicKeys, SecureSumError, packed, unmask, unpacked
from federated.sites.data import mine
from federated.transport.grid import Federation, Node
from federated.transport.roster import UnsoundReplyError

Sums = dict[str, dict[str, NDArray[Any]]]
SECURE = "secure"
Layout = list[tuple[str, str, list[int]]]


def flattened(content: RecordDict) -> tuple[NDArray[np.float64], Layout]:
    """All arrays and metrics of a reply as one vector, and where each stands."""
    values: list[NDArray[np.float64]] = []
    layout: Layout = []
    for record, names in _records(content).items():
        for name, array in names.items():
            layout.append((record, name, list(array.shape)))
            values.append(array.astype(np.float64).ravel())
    return np.concatenate(values), layout


def _records(content: RecordDict) -> Sums:
    made: Sums = {}
    for record, arrays in sorted(content.array_records.items()):
        made[record] = {name: array.numpy() for name, array in sorted(arrays.items())}
    for record, metrics in sorted(content.metric_records.items()):
        made[record] = {name: np.atleast_1d(np.array(value)) for name, value in sorted(metrics.items())}
    return made


def spread_out(vector: NDArray[np.float64], layout: Layout) -> Sums:
    """Inverse of `flattened`."""
    made: Sums = {}
    start = 0
    for record, name, shape in layout:
        size = int(np.prod(shape))
        made.setdefault(record, {})[name] = vector[start : start + size].reshape(shape)
        start += size
    return made


def summed(
    federation: Federation,
    nodes: list[Node],
    kind: str,
    content: RecordDict,
    *,
    secure: bool,
    each: Callable[[str, Message], None] | None = None,
) -> Sums:
    """Sums of what the sites answer, by record and name.

    Parameters
    ----------
    secure : bool
        No single answer reaches the server then, and `each` is not called.
    each : callable
        Given a site's name and answer; raises UnsoundReplyError where it cannot be used.

    Raises
    ------
    SiteFailureError
        So many sites were lost, or answered what cannot be used, that too few are left.
    """
    if secure:
        return _secure(federation, nodes, kind, content)
    total: Sums = {}
    for site, reply in federation.ask(nodes, kind, content):
        answer = _records(reply.content)
        try:
            _check_finite(answer)
            if each:
                each(site, reply)
        except UnsoundReplyError as error:
            federation.roster.lose(nodes, [site], str(error))
            continue
        for record, values in answer.items():
            held = total.setdefault(record, {})
            for name, array in values.items():
                held[name] = held[name] + array if name in held else array
    return total


def _check_finite(answer: Sums) -> None:
    for values in answer.values():
        for name, array in values.items():
            if not np.isfinite(array).all():
                raise UnsoundReplyError(f"{name} is not finite: look for damaged rows there")


def _secure(federation: Federation, nodes: list[Node], kind: str, content: RecordDict) -> Sums:
    while True:
        held = federation.roster.present(nodes)
        replies = dict(federation.ask(held, "query.keys", RecordDict({"config": ConfigRecord({"fresh": True})})))
        keys = {site: bytes(reply.content["keys"]["public"]) for site, reply in replies.items()}
        shown = {site: b64encode(raw).decode() for site, raw in keys.items()}
        asked = RecordDict({SECURE: ConfigRecord({"keys": json.dumps(shown)})})
        shares = {
            site: json.loads(str(reply.content["shares"]["to"]))
            for site, reply in federation.ask(held, "query.shares", asked)
        }
        if len(shares) == len(held):
            break  # otherwise somebody was lost before anything was masked: once more without them
    marked = RecordDict({**content, SECURE: ConfigRecord({"keys": json.dumps(shown), "label": kind})})
    vectors, layouts = {}, {}
    for site, reply in federation.ask(held, kind, marked):
        vectors[site] = reply.content["masked"]["vector"].numpy()
        layouts[site] = str(reply.content["layout"]["json"])
    usual = max(layouts.values(), key=list(layouts.values()).count)
    if strange := [site for site, layout in layouts.items() if layout != usual]:
        raise SecureSumError(f"site {strange[0]} sums over something else: install the same version everywhere")
    freed = _freed(federation, held, shown, shares, list(vectors))
    total = unmask(vectors, {site: PublicKeys.from_bytes(raw) for site, raw in keys.items()}, freed, kind)
    return spread_out(total, json.loads(usual))


def _freed(
    federation: Federation,
    held: list[Node],
    shown: Mapping[str, str],
    shares: Mapping[str, Mapping[str, str]],
    present: list[str],
) -> dict[str, dict[str, tuple[str, int]]]:
    """What the sites that masked tell of the others."""
    grid = federation.of(held)

    def ask(node: Node) -> Message:
        to_it = {site: to[node.name] for site, to in shares.items()}
        config = {"keys": json.dumps(shown), "shares": json.dumps(to_it), "present": json.dumps(present)}
        content = RecordDict({SECURE: ConfigRecord({**config})})
        return Message(content, message_type="query.unmask", dst_node_id=node.node)

    replies = grid.send_and_receive(map(ask, federation.roster.present(held)))
    return {
        grid.nodes[reply.metadata.src_node_id].name: unpacked(str(reply.content["told"]["shares"])) for reply in replies
    }


def is_masked(message: Message) -> bool:
    """Whether the answer leaves the site under masks, so that only the sum over sites is seen."""
    return SECURE in message.content and "label" in message.content[SECURE]


def masked(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod: the answer to a query of a secure sum leaves the site as one masked vector."""
    reply = call_next(message, context)
    if not is_masked(message) or reply.has_error():
        return reply
    config = message.content[SECURE]
    vector, layout = flattened(reply.content)
    hidden = _member(context).masked(vector, _keys(config), str(config["label"]))
    content = {
        "masked": ArrayRecord({"vector": Array(hidden)}),
        "layout": ConfigRecord({"json": json.dumps(layout)}),
    }
    return Message(RecordDict(content), reply_to=message)


def _keys(config: Mapping[str, Any]) -> dict[str, PublicKeys]:
    return {site: PublicKeys.from_bytes(b64decode(raw)) for site, raw in json.loads(str(config["keys"])).items()}


def _member(context: Context) -> Member:
    name = mine(int(context.node_config["partition-id"])).name
    return Member(name, bytes(context.state["sum"]["secrets"]))


def new_keys(message: Message, context: Context) -> Message:
    """Keys for one sum, kept in the node's state; what was kept before is gone."""
    member = Member(mine(int(context.node_config["partition-id"])).name)
    context.state["sum"] = ConfigRecord({"secrets": member.secrets})
    return Message(RecordDict({"keys": ConfigRecord({"public": member.public().as_bytes()})}), reply_to=message)


def shares_for(message: Message, context: Context) -> Message:
    """Shares of this site's secrets, each readable by one site only."""
    made = _member(context).shares(_keys(message.content[SECURE]))
    text = json.dumps({site: b64encode(share).decode() for site, share in made.items()})
    return Message(RecordDict({"shares": ConfigRecord({"to": text})}), reply_to=message)


def reveal(message: Message, context: Context) -> Message:
    """One share a site, once; then the keys are forgotten."""
    config = message.content[SECURE]
    received = {site: b64decode(share) for site, share in json.loads(str(config["shares"])).items()}
    told = _member(context).reveal(received, _keys(config), json.loads(str(config["present"])))
    del context.state["sum"]
    return Message(RecordDict({"told": ConfigRecord({"shares": packed(told)})}), reply_to=message)
