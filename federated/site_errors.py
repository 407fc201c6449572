"""What goes wrong at a site stays there: the server is told that, the site's own log what."""

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from flwr.app import Context, Error, Message
from flwr.clientapp.typing import ClientAppCallable

from federated.simulated_sites import SITES_VARIABLE

CODE = 2  # Flower's "the ClientApp raised an exception"
REASON = "an error at the site; its own log says which"
LOG = "errors.log"


def guarded(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod: an exception becomes an error reply without its text, which may name a patient or a path."""
    try:
        return call_next(message, context)
    except Exception:
        _keep(context, message.metadata.message_type, traceback.format_exc())
        return Message(error=Error(CODE, REASON), reply_to=message)


def _keep(context: Context, kind: str, text: str) -> None:
    folder = Path(os.environ[SITES_VARIABLE]) / str(int(context.node_config["partition-id"]))
    with (folder / LOG).open("a", encoding="utf-8") as handle:
        handle.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {kind}\n{text}\n")
