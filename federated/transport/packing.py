"""The content of a message as one object: Flower fetches every array of a message in a request of its own.

Server and site pack what they send and unpack what they receive. In between, Flower sees one record.
"""

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from federated.transport.flower_private import PackedRecordDict, recorddict_from_proto, recorddict_to_proto

PACKED = "packed"
# Larger contents travel in parts, as Flower sends them.
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
    return recorddict_from_proto(PackedRecordDict.FromString(bytes(content[PACKED]["content"])))


def wrapped(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod that unpacks a message and packs the reply."""
    message.content = unpack(message.content)
    reply = call_next(message, context)
    if not reply.has_error():
        reply.content = pack(reply.content)
    return reply
