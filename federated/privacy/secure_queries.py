"""Sums over the sites' replies, made at the server: in clear, or under masks that cancel in the sum.

A secure sum needs four exchanges: public keys, shares of the secret keys, masked vectors, and the shares that remove
the masks. If a site leaves before it has masked its vector, the other sites begin again. If it leaves later, their
shares remove its masks.
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
from federated.sites.site import site_of_partition
from federated.transport.grid import ConnectedSite, SiteGroup
from federated.transport.roster import UnsoundReplyError

Sums = dict[str, dict[str, NDArray[Any]]]
SECURE = "secure"
Layout = list[tuple[str, str, list[int]]]
# Called with a site's name and reply; raises UnsoundReplyError where the reply cannot be used.
Check = Callable[[str, Message], None]


def flattened(content: RecordDict) -> tuple[NDArray[np.float64], Layout]:
    """All arrays and metrics of a reply as one vector, and the place and shape of each."""
    values: list[NDArray[np.float64]] = []
    layout: Layout = []
    for record, names in _records(content).items():
        for name, array in names.items():
            layout.append((record, name, list(array.shape)))
            values.append(array.astype(np.float64).ravel())
    return np.concatenate(values), layout


def _records(content: RecordDict) -> Sums:
    sums: Sums = {}
    for record, arrays in sorted(content.array_records.items()):
        sums[record] = {name: array.numpy() for name, array in sorted(arrays.items())}
    for record, metrics in sorted(content.metric_records.items()):
        sums[record] = {name: np.atleast_1d(np.array(value)) for name, value in sorted(metrics.items())}
    return sums


def spread_out(vector: NDArray[np.float64], layout: Layout) -> Sums:
    """Inverse of `flattened`."""
    sums: Sums = {}
    start = 0
    for record, name, shape in layout:
        size = int(np.prod(shape))
        sums.setdefault(record, {})[name] = vector[start : start + size].reshape(shape)
        start += size
    return sums


def summed(
    group: SiteGroup,
    sites: list[ConnectedSite],
    kind: str,
    content: RecordDict,
    *,
    secure: bool,
    check: Check | None = None,
) -> Sums:
    """Ask the sites and sum their replies, by record and name.

    Parameters
    ----------
    secure : bool
        The server sees no single reply, and `check` is not called.
    check : callable
        Called with a site's name and reply; raises UnsoundReplyError where the reply cannot be used.

    Raises
    ------
    SiteFailureError
        Too few sites are left after those without a usable reply have left.
    """
    if secure:
        return _secure(group, sites, kind, content)
    total: Sums = {}
    for site, reply in group.ask(sites, kind, content):
        answer = _records(reply.content)
        try:
            _check_finite(answer)
            if check:
                check(site, reply)
        except UnsoundReplyError as error:
            group.roster.drop(sites, [site], str(error))
            continue
        for record, values in answer.items():
            sums = total.setdefault(record, {})
            for name, array in values.items():
                sums[name] = sums[name] + array if name in sums else array
    return total


def _check_finite(answer: Sums) -> None:
    for values in answer.values():
        for name, array in values.items():
            if not np.isfinite(array).all():
                raise UnsoundReplyError(f"{name} is not finite: look for damaged rows there")


def _secure(group: SiteGroup, sites: list[ConnectedSite], kind: str, content: RecordDict) -> Sums:
    while True:
        present = group.roster.present(sites)
        replies = dict(group.ask(present, "query.keys", RecordDict({"config": ConfigRecord({"fresh": True})})))
        keys = {site: bytes(reply.content["keys"]["public"]) for site, reply in replies.items()}
        public = {site: b64encode(raw).decode() for site, raw in keys.items()}
        query = RecordDict({SECURE: ConfigRecord({"keys": json.dumps(public)})})
        shares = {
            site: json.loads(str(reply.content["shares"]["to"]))
            for site, reply in group.ask(present, "query.shares", query)
        }
        if len(shares) == len(present):
            break  # otherwise a site has left before anything was masked: begin again without it
    marked = RecordDict({**content, SECURE: ConfigRecord({"keys": json.dumps(public), "label": kind})})
    vectors, layouts = {}, {}
    for site, reply in group.ask(present, kind, marked):
        vectors[site] = reply.content["masked"]["vector"].numpy()
        layouts[site] = str(reply.content["layout"]["json"])
    usual = max(layouts.values(), key=list(layouts.values()).count)
    if different := [site for site, layout in layouts.items() if layout != usual]:
        raise SecureSumError(f"site {different[0]} sums over something else: install the same version everywhere")
    revealed = _revealed(group, present, public, shares, list(vectors))
    total = unmask(vectors, {site: PublicKeys.from_bytes(raw) for site, raw in keys.items()}, revealed, kind)
    return spread_out(total, json.loads(usual))


def _revealed(
    group: SiteGroup,
    sites: list[ConnectedSite],
    public: Mapping[str, str],
    shares: Mapping[str, Mapping[str, str]],
    masked_by: list[str],
) -> dict[str, dict[str, tuple[str, int]]]:
    """The shares that the sites reveal of each other, which remove the masks from the sum."""
    grid = group.of(sites)

    def query(to: ConnectedSite) -> Message:
        received = {site: by_receiver[to.name] for site, by_receiver in shares.items()}
        config = {"keys": json.dumps(public), "shares": json.dumps(received), "present": json.dumps(masked_by)}
        content = RecordDict({SECURE: ConfigRecord({**config})})
        return Message(content, message_type="query.unmask", dst_node_id=to.node)

    replies = grid.send_and_receive(map(query, group.roster.present(sites)))
    return {
        grid.sites[reply.metadata.src_node_id].name: unpacked(str(reply.content["told"]["shares"])) for reply in replies
    }


def is_masked(message: Message) -> bool:
    """Whether the reply leaves the site under masks, so that the server sees only the sum over sites."""
    return SECURE in message.content and "label" in message.content[SECURE]


def masked(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod that turns the reply to a query of a secure sum into one masked vector."""
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
    name = site_of_partition(int(context.node_config["partition-id"])).name
    return Member(name, bytes(context.state["sum"]["secrets"]))


def new_keys(message: Message, context: Context) -> Message:
    """Make the keys of one sum and store them in the node's state, in place of earlier ones."""
    member = Member(site_of_partition(int(context.node_config["partition-id"])).name)
    context.state["sum"] = ConfigRecord({"secrets": member.secrets})
    return Message(RecordDict({"keys": ConfigRecord({"public": member.public().as_bytes()})}), reply_to=message)


def shares_for(message: Message, context: Context) -> Message:
    """Answer with shares of this site's secrets; each can be read by one site only."""
    shares = _member(context).shares(_keys(message.content[SECURE]))
    text = json.dumps({site: b64encode(share).decode() for site, share in shares.items()})
    return Message(RecordDict({"shares": ConfigRecord({"to": text})}), reply_to=message)


def reveal(message: Message, context: Context) -> Message:
    """Reveal one share of each site's secrets, once; then this site deletes its keys."""
    config = message.content[SECURE]
    received = {site: b64decode(share) for site, share in json.loads(str(config["shares"])).items()}
    revealed = _member(context).reveal(received, _keys(config), json.loads(str(config["present"])))
    del context.state["sum"]
    return Message(RecordDict({"told": ConfigRecord({"shares": packed(revealed)})}), reply_to=message)
