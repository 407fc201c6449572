"""A message's content as one object: Flower fetches every array of a message in a request of its own.

Server and site pack what they send and unpack what they get; in between Flower sees one record.
"""

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as Packed

PACKED = "packed"
# Larger contents travel as Flower sends them, in parts.
LARGEST = 8 * 2**20


def pack(content: RecordDict) -> RecordDict:
    """The same content as one record."""
    if sum(len(array.data) for record in content.array_records.values() for array in record.values()) > LARGEST:
        return content
    raw = recorddict_to_proto(content).SerializeToString(deterministic=True)
    return RecordDict({PACKED: ConfigRecord({"content": raw})})


def unpack(content: RecordDict) -> RecordDict:
    """Inverse of `pack`."""
    if PACKED not in content:
        return content
    return recorddict_from_proto(Packed.FromString(bytes(content[PACKED]["content"])))


def wrapped(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod: unpacks what comes, packs what goes."""
    message.content = unpack(message.content)
    reply = call_next(message, context)
    if not reply.has_error():
        reply.content = pack(reply.content)
    return reply
