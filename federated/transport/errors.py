"""The details of an error stay at the site: the server learns that there was one, the site's own log holds the text."""

import errno
import traceback
from contextlib import suppress
from datetime import UTC, datetime

from flwr.app import Context, Error, Message
from flwr.clientapp.typing import ClientAppCallable

from federated.sites.site import folder_of_partition

CODE = 2  # Flower's "the ClientApp raised an exception"
REASON = "an error there; its own log says which"
DISK_FULL = "its disk is full: make room there"
NOT_APPROVED = "the plan is not approved there"
# The server is told nothing else about an error at a site.
REASONS = {REASON, DISK_FULL, NOT_APPROVED}
LOG = "errors.log"


def guarded(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod that turns an exception into an error reply without its text, which may name a patient or a path."""
    try:
        return call_next(message, context)
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        with suppress(OSError):
            _log(context, message.metadata.message_type, traceback.format_exc())
        return Message(error=Error(CODE, DISK_FULL if full else REASON), reply_to=message)


def _log(context: Context, kind: str, text: str) -> None:
    with (folder_of_partition(int(context.node_config["partition-id"])) / LOG).open("a", encoding="utf-8") as handle:
        handle.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {kind}\n{text}\n")
