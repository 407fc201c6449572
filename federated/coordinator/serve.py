"""Flower's SuperLink on a public and an internal port, over TLS, in one process."""

import logging
import os
import threading
from pathlib import Path

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")

import uvicorn
from starlette.applications import Starlette

from federated.coordinator.admission import Admission, PublicPort
from federated.coordinator.folder import FederationFolder
from federated.transport.flower_private import (
    ISOLATION_MODE_PROCESS,
    TRANSPORT_TYPE_GRPC_RERE,
    SuperLinkLifespan,
    SuperLinkLifespanConfig,
    create_superlink,
    load_control_authn_plugin,
)
from models.errors import FetalHealthError


def application(federation: FederationFolder) -> Starlette:
    """Flower's SuperLink with authentication of nodes, its database in the folder, and the requests of hospitals."""
    tls = federation.path / "tls"
    certificates = tuple((tls / name).read_bytes() for name in ("ca.crt", "server.crt", "server.key"))
    config = SuperLinkLifespanConfig(
        control_address=federation.inside_address,
        health_server_address=None,
        host="127.0.0.1",
        port=int(federation.settings["inside_port"]),
        insecure=False,
        certificates=certificates,
        superexec_auth_secret=(federation.path / "superexec.secret").read_bytes(),
        authn_plugin=load_control_authn_plugin(),
        event_log_plugin=None,
        fleet_event_log_plugin=None,
        enable_event_log=False,
        artifact_provider=None,
        enable_supernode_auth=True,
        fleet_api_type=TRANSPORT_TYPE_GRPC_RERE,
        fleet_api_address=None,
        simulation=False,
        ssl_ca_certfile=str(tls / "ca.crt"),
        ssl_certfile=str(tls / "server.crt"),
        ssl_keyfile=str(tls / "server.key"),
        database=str(federation.path / "superlink.sqlite"),
        isolation=ISOLATION_MODE_PROCESS,
        runtime_dependency_install=False,
    )
    app: Starlette = create_superlink(config, SuperLinkLifespan)
    app.router.routes.extend(Admission(federation, app.state.linkstate_factory.state()).routes())
    return app


def _server(app: object, tls: Path, host: str, port: int, lifespan: str) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            host=host,
            port=port,
            lifespan=lifespan,  # type: ignore[arg-type]
            ssl_certfile=str(tls / "server.crt"),
            ssl_keyfile=str(tls / "server.key"),
            log_level="warning",
            timeout_graceful_shutdown=3,
        )
    )


def serve(federation: FederationFolder, bind: str = "0.0.0.0") -> None:  # noqa: S104 (hospitals call from outside)
    """Serve until interrupted.

    Parameters
    ----------
    federation : FederationFolder
    bind : str
        Address that the public port listens on; the internal port listens on loopback only.

    Raises
    ------
    FetalHealthError
        A port is taken.
    """
    logging.getLogger("flwr").setLevel(logging.WARNING)
    app, tls = application(federation), federation.path / "tls"
    internal = _server(app, tls, "127.0.0.1", int(federation.settings["inside_port"]), "on")
    public = _server(PublicPort(app, federation), tls, bind, int(federation.settings["port"]), "off")
    taken: list[str] = []
    over = threading.Event()

    def open_public() -> None:
        while not internal.started:
            if over.wait(0.05):
                return
        try:
            public.run()
        except SystemExit:  # uvicorn exits like this if the port is taken
            taken.append(str(federation.settings["port"]))
            internal.should_exit = True

    thread = threading.Thread(target=open_public, name="public", daemon=True)
    thread.start()
    federation.journal.write("server.started", address=federation.address)
    try:
        internal.run()
    except SystemExit:
        taken.append(str(federation.settings["inside_port"]))
    finally:
        over.set()
        public.should_exit = True
        thread.join(5)
        federation.journal.write("server.stopped")
    if taken:
        raise FetalHealthError(f"port {taken[0]} is taken: is another server running?")
