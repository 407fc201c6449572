"""The coordinator's use of Flower's SuperLink: it registers nodes, starts and stops runs, and opens the grid of a run.

All requests go to the internal port, which only this machine reaches.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import httpx
from flwr.serverapp import Grid

from federated.coordinator.folder import FederationFolder
from federated.transport.flower_private import (
    AcquireTaskRequest,
    ControlHttpClient,
    Fab,
    HeartbeatSender,
    HttpGrid,
    ListNodesRequest,
    PullTaskInputRequest,
    PushTaskOutputRequest,
    RegisterNodeRequest,
    RetryInvoker,
    RuntimeHttpClient,
    RuntimeVersionHttpInterceptor,
    SendTaskHeartbeatRequest,
    StartRunRequest,
    StopRunRequest,
    SubStatus,
    SuperExecAuthHttpInterceptor,
    TaskIdentity,
    TaskType,
    UnregisterNodeRequest,
    constant,
    limit_retries,
    run_from_proto,
    runtime_client,
    try_once,
)
from models.errors import FetalHealthError

# How long a run waits for a SuperLink that went away, before it starts again from its last complete round.
AWAY_S, AWAY_PAUSE_S = 20.0, 0.5
_ACQUIRE = frozenset({"/flwr.proto.Runtime/AcquireTask"})


class SuperLinkError(FetalHealthError):
    """The SuperLink does not answer, or refuses."""


def _beat(client: Any) -> bool:
    """Keep the run alive; if it has ended, the next exchange notices."""
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
        """Whether the SuperLink answers."""
        try:
            with self._control() as control:
                control.ListNodes(ListNodesRequest())
        except SuperLinkError:
            return False
        return True

    def register(self, name: str, public_key: bytes) -> int:
        """Admit a node with this public key (PEM); return Flower's number of the node."""
        with self._control() as control:
            return int(control.RegisterNode(RegisterNodeRequest(public_key=public_key, name=name)).node_id)

    def unregister(self, node: int) -> None:
        """Exclude a node for good."""
        with self._control() as control:
            control.UnregisterNode(UnregisterNodeRequest(node_id=node))

    def stop(self, run: int) -> None:
        """End a run that may still be active."""
        with suppress(SuperLinkError), self._control() as control:
            control.StopRun(StopRunRequest(run_id=run))

    @contextmanager
    def run(self, agreement: bytes) -> Iterator[tuple[int, Grid]]:
        """Start a run and act as its ServerApp; yields the run's number and its grid.

        Raises
        ------
        SuperLinkError
            It cannot be started.
        """
        with self._control() as control:
            run_id = int(control.StartRun(StartRunRequest(fab=Fab(content=agreement))).run_id)
        if run_id == 0:
            raise SuperLinkError("the SuperLink did not start the run; its log says why")
        grid = HttpGrid(self.federation.inside_address, False, self.federation.authority, token=self._token(run_id))
        limit_retries(grid, RetryInvoker(lambda: constant(AWAY_PAUSE_S), httpx.TransportError, None, AWAY_S))
        client = runtime_client(grid)
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
            try_once(grid)
            with suppress(httpx.HTTPError):
                client.PushTaskOutput(PushTaskOutputRequest(sub_status=outcome, details=details))
            if heartbeat.is_running:
                heartbeat.stop()
            grid.close()

    def _token(self, run_id: int) -> str:
        """Take the ServerApp task of the run and return its token; tasks of earlier runs are taken and dropped."""
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
                acquired = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
                if not acquired.token:
                    raise SuperLinkError("the SuperLink gave the run to another process")
                if acquired.task.run_id == run_id:
                    return str(acquired.token)
        except httpx.HTTPError as error:
            raise SuperLinkError(f"the SuperLink went away ({type(error).__name__})") from None
        finally:
            client.close()
