"""The server's own side of Flower's SuperLink: nodes registered, runs started and stopped, a grid for a run.

All over the inside door, which this machine alone reaches.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import httpx
from flwr.common.constant import SubStatus
from flwr.common.serde import run_from_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.proto.fab_pb2 import Fab
from flwr.proto.runtime_pb2 import (
    AcquireTaskRequest,
    PullTaskInputRequest,
    PushTaskOutputRequest,
    SendTaskHeartbeatRequest,
)
from flwr.serverapp import Grid
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.heartbeat import HeartbeatSender
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.retry import RetryInvoker, constant
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from federated.coordinator.folder import FederationFolder
from models.errors import FetalHealthError

# How long a run waits for a SuperLink that went away, before it starts anew from its last whole round.
AWAY_S, AWAY_PAUSE_S = 20.0, 0.5
_ACQUIRE = frozenset({"/flwr.proto.Runtime/AcquireTask"})


class SuperLinkError(FetalHealthError):
    """The server does not answer, or refuses."""


def _beat(client: RuntimeHttpClient) -> bool:
    """Keep the run alive; the next exchange finds out if it is not."""
    with suppress(httpx.HTTPError):
        client.SendTaskHeartbeat(SendTaskHeartbeatRequest())
    return True


class SuperLink:
    """Flower's SuperLink behind a federation folder.

    Parameters
    ----------
    federation : FederationFolder
    """

    def __init__(self, federation: FederationFolder) -> None:
        self.federation = federation

    @contextmanager
    def _control(self) -> Iterator[Any]:
        client = ControlHttpClient.from_server_address(
            self.federation.inside_address,
            False,
            self.federation.authority,
            [RuntimeVersionHttpInterceptor(component_name="CLI")],
        )
        try:
            yield client
        except httpx.HTTPStatusError as error:
            raise SuperLinkError(f"the SuperLink refused: {error.response.text[:300]}") from None
        except httpx.HTTPError as error:
            address = self.federation.inside_address
            raise SuperLinkError(f"no SuperLink at {address} ({error}); start `fetal-health federate serve`") from None
        finally:
            client.close()

    def answers(self) -> bool:
        """Whether the SuperLink is there."""
        try:
            with self._control() as control:
                control.ListNodes(ListNodesRequest())
        except SuperLinkError:
            return False
        return True

    def register(self, name: str, public_key: bytes) -> int:
        """Let a node with this public key (PEM) in; Flower's number of it."""
        with self._control() as control:
            return int(control.RegisterNode(RegisterNodeRequest(public_key=public_key, name=name)).node_id)

    def unregister(self, node: int) -> None:
        """Shut a node out for good."""
        with self._control() as control:
            control.UnregisterNode(UnregisterNodeRequest(node_id=node))

    def stop(self, run: int) -> None:
        """End a run that may still be going."""
        with suppress(SuperLinkError), self._control() as control:
            control.StopRun(StopRunRequest(run_id=run))

    @contextmanager
    def run(self, bundle: bytes) -> Iterator[tuple[int, Grid]]:
        """Start a run and be its ServerApp: its number and its grid.

        Raises
        ------
        SuperLinkError
            It cannot be started.
        """
        with self._control() as control:
            run_id = int(control.StartRun(StartRunRequest(fab=Fab(content=bundle))).run_id)
        if run_id == 0:
            raise SuperLinkError("the SuperLink did not start the run; its log says why")
        grid = HttpGrid(self.federation.inside_address, False, self.federation.authority, token=self._token(run_id))
        # Flower's own would interrupt this process when the server has forgotten the run.
        grid._retry_invoker = RetryInvoker(lambda: constant(AWAY_PAUSE_S), httpx.TransportError, None, AWAY_S)
        client = grid._runtime_client
        heartbeat = HeartbeatSender(partial(_beat, client))
        outcome, details = SubStatus.FAILED, "ended without a result"
        try:
            task = client.PullTaskInput(PullTaskInputRequest())
            TaskIdentity.task_id, TaskIdentity.run_id = task.task_id, run_id
            TaskIdentity.node_id = task.context.node_id
            grid.set_run(run_from_proto(task.run))
            heartbeat.start()
            yield run_id, grid
            outcome, details = SubStatus.COMPLETED, ""
        except httpx.HTTPError as error:
            raise SuperLinkError(
                f"the SuperLink has forgotten the run, or went away ({type(error).__name__})"
            ) from None
        finally:
            grid._retry_invoker.max_tries = 1
            with suppress(httpx.HTTPError):
                client.PushTaskOutput(PushTaskOutputRequest(sub_status=outcome, details=details))
            if heartbeat.is_running:
                heartbeat.stop()
            grid.close()

    def _token(self, run_id: int) -> str:
        """Take the run's ServerApp task; tasks that earlier runs left behind are taken out of the way."""
        secret = (self.federation.path / "superexec.secret").read_bytes()
        client = RuntimeHttpClient.from_server_address(
            self.federation.inside_address,
            False,
            self.federation.authority,
            [
                RuntimeVersionHttpInterceptor(component_name="SuperExec"),
                SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods=_ACQUIRE),
            ],
        )
        try:
            while True:
                found = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
                if not found.token:
                    raise SuperLinkError("the SuperLink gave the run to somebody else")
                if found.task.run_id == run_id:
                    return str(found.token)
        except httpx.HTTPError as error:
            raise SuperLinkError(f"the SuperLink went away ({type(error).__name__})") from None
        finally:
            client.close()
