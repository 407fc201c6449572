"""The Flower mod that makes a site's updates of weights smaller."""

from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from federated.plan import CompressionPlan
from federated.transport.messages import as_arrays, as_record
from federated.weights.compression import pack, rounding_seed


def compressed(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Replace the weights of a reply by a compressed update of the weights received; the server unpacks it.

    What top-k does not send stays in the node's state until the next round.
    """
    received = as_arrays(message.content["model"])
    config = message.content["config"]
    plan = CompressionPlan.model_validate_json(str(config["compression"]))
    reply = call_next(message, context)
    if reply.has_error() or plan.kind == "none":
        return reply
    stored = {} if config["fresh"] or "residual" not in context.state else as_arrays(context.state["residual"])
    residuals = {int(number): values for number, values in stored.items()}
    seed = rounding_seed(int(context.node_config["partition-id"]), int(config["round"]))
    packed, residuals = pack(as_arrays(reply.content["model"]), received, plan, seed, residuals)
    reply.content["model"] = as_record(packed)
    context.state["residual"] = as_record({str(number): values for number, values in residuals.items()})
    return reply
