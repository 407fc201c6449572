"""What goes wrong at a site stays there: the server is told that, the site's own log what."""

import errno
import os
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from flwr.app import Context, Error, Message
from flwr.clientapp.typing import ClientAppCallable

from federated.sites.data import SITES_VARIABLE

CODE = 2  # Flower's "the ClientApp raised an exception"
REASON = "an error there; its own log says which"
DISK_FULL = "its disk is full: make room there"
NOT_APPROVED = "the plan is not approved there"
# All that a server is told of what went wrong at a site.
REASONS = {REASON, DISK_FULL, NOT_APPROVED}
LOG = "errors.log"


def guarded(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod: an exception becomes an error reply without its text, which may name a patient or a path."""
    try:
        return call_next(message, context)
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        with suppress(OSError):
            _keep(context, message.metadata.message_type, traceback.format_exc())
        return Message(error=Error(CODE, DISK_FULL if full else REASON), reply_to=message)


def own_folder(context: Context) -> Path:
    """The site's own folder."""
    return Path(os.environ[SITES_VARIABLE]) / str(int(context.node_config["partition-id"]))


def _keep(context: Context, kind: str, text: str) -> None:
    with (own_folder(context) / LOG).open("a", encoding="utf-8") as handle:
        handle.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {kind}\n{text}\n")
