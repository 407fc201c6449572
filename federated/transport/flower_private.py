"""The private names of Flower, all in one place. Pinned to Flower 1.41 (``flwr>=1.41,<1.42``).

Flower promises stability for `flwr.app`, `flwr.clientapp`, `flwr.serverapp` and `flwr.simulation`. Everything else is
imported from here. Whoever raises the pin checks this module and needs to change no other. Each name is loaded
when it is first asked for, so that a hospital's node does not load the server, and the server no simulation.
"""

from importlib import import_module
from typing import Any

# Home of each name, and what it is needed for.
_HOMES = {
    # Distinguishes a node that went away from other errors.
    "ErrorCode": "flwr.common.constant",
    # The content of a message travels as one object: Flower would fetch each array in a request of its own.
    "recorddict_from_proto": "flwr.common.serde",
    "recorddict_to_proto": "flwr.common.serde",
    "PackedRecordDict": "flwr.proto.recorddict_pb2:RecordDict",
    # The identity of the task that a process carries out; messages and grids ask for it.
    "TaskIdentity": "flwr.supercore.task_identity",
    # The coordinator serves the SuperLink in its own process, behind its own access rules.
    "ISOLATION_MODE_PROCESS": "flwr.common.constant",
    "TRANSPORT_TYPE_GRPC_RERE": "flwr.common.constant",
    "SuperLinkLifespan": "flwr.superlink.cli.flower_superlink",
    "SuperLinkLifespanConfig": "flwr.superlink.config_loader",
    "load_control_authn_plugin": "flwr.superlink.config_loader",
    "create_superlink": "flwr.superlink.main:create_app",
    # The coordinator knows a node by the key that it signs with, and keeps its place while the server was away.
    "FLEET_HTTP_PUBLIC_KEY_HEADER": "flwr.supercore.constant",
    "HEARTBEAT_DEFAULT_INTERVAL": "flwr.common.constant",
    # The coordinator registers nodes and starts and stops runs.
    "ControlHttpClient": "flwr.supercore.control",
    "ListNodesRequest": "flwr.proto.control_pb2",
    "RegisterNodeRequest": "flwr.proto.control_pb2",
    "StartRunRequest": "flwr.proto.control_pb2",
    "StopRunRequest": "flwr.proto.control_pb2",
    "UnregisterNodeRequest": "flwr.proto.control_pb2",
    "Fab": "flwr.proto.fab_pb2",
    # The job is the ServerApp of its run: it takes the run's task, keeps it alive and reports its end.
    "AcquireTaskRequest": "flwr.proto.runtime_pb2",
    "PullTaskInputRequest": "flwr.proto.runtime_pb2",
    "PushTaskOutputRequest": "flwr.proto.runtime_pb2",
    "SendTaskHeartbeatRequest": "flwr.proto.runtime_pb2",
    "RuntimeHttpClient": "flwr.supercore.runtime",
    "RuntimeVersionHttpInterceptor": "flwr.supercore.interceptors",
    "SuperExecAuthHttpInterceptor": "flwr.supercore.interceptors",
    "HeartbeatSender": "flwr.supercore.heartbeat",
    "RetryInvoker": "flwr.supercore.retry",
    "constant": "flwr.supercore.retry",
    "SubStatus": "flwr.common.constant",
    "TaskType": "flwr.supercore.constant",
    "run_from_proto": "flwr.common.serde",
    "HttpGrid": "flwr.superlink.grid",
    # A hospital's node stays one process that answers messages itself and executes no delivered code.
    "http_request_response": "flwr.supernode.fleet_http_connection",
    "RunNotRunningException": "flwr.supercore.run",
    "get_all_nested_objects": "flwr.supercore.inflatable.inflatable_object",
    "get_object_tree": "flwr.supercore.inflatable.inflatable_object",
    "iterate_object_tree": "flwr.supercore.inflatable.inflatable_object",
    "no_object_id_recompute": "flwr.supercore.inflatable.inflatable_object",
    "inflate_object_from_contents": "flwr.supercore.inflatable.inflatable_utils",
    "pull_objects": "flwr.supercore.inflatable.inflatable_utils",
    "push_objects": "flwr.supercore.inflatable.inflatable_utils",
    # Tests compare our merge of trees with Flower's own.
    "aggregate_bagging": "flwr.serverapp.strategy.strategy_utils",
    "aggregate_arrayrecords": "flwr.serverapp.strategy.strategy_utils",
}


def __getattr__(name: str) -> Any:
    """Load a private name of Flower."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, _, original = _HOMES[name].partition(":")
    return getattr(import_module(home), original or name)


def set_message_id(message: Any, identifier: str) -> None:
    """Give a message its identifier; Flower's metadata has no public setter for it."""
    message.metadata.__dict__["_message_id"] = identifier


def limit_retries(grid: Any, invoker: Any) -> None:
    """Replace the grid's own retries, which interrupt the process when the server has forgotten the run."""
    grid._retry_invoker = invoker


def try_once(grid: Any) -> None:
    """Let the grid's next requests fail at once instead of trying again."""
    grid._retry_invoker.max_tries = 1


def runtime_client(grid: Any) -> Any:
    """The client that a grid reaches the server's runtime interface by."""
    return grid._runtime_client
