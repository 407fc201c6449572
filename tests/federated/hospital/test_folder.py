"""A hospital's side: what it approves, what it may run, whom it trusts."""

import http.server
import importlib.util
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from federated.files import write_secret
from federated.plan import load, shipped_plans
from federated.trust.agreement import agreement_hash
from federated.trust.identity import make_certificates, new_key, private_pem, signed
from models.errors import InputError
from tests.conftest import need

if importlib.util.find_spec("flwr") is not None:
    from federated.hospital import folder as sites
    from federated.hospital.folder import JoinError, SiteFolder, UnreachableError, ask

PLAN = load(shipped_plans()["synthetic"])


@pytest.fixture(autouse=True)
def _flower() -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "SiteFolder":
    """A site that has joined and was offered a plan; the server answers nothing of interest."""
    folder = tmp_path / "anne"
    (folder / "offers").mkdir(parents=True)
    about = {
        "hospital": "anne",
        "federation": "north",
        "address": "127.0.0.1:1",
        "number": 0,
        "modality": "ctg",
        "rows": 9,
    }
    (folder / "site.json").write_text(json.dumps(about))
    write_secret(folder / "node.key", private_pem(new_key()))
    (folder / "offers" / f"{agreement_hash(PLAN)}.json").write_text(PLAN.model_dump_json())
    monkeypatch.setattr(sites, "ask", lambda *a: {"offers": []})
    return SiteFolder(folder)


def test_what_is_approved_may_run_until_it_is_withdrawn(site: "SiteFolder") -> None:
    bundle = agreement_hash(PLAN)
    assert site.approved_plan(bundle) is None
    assert site.approve(bundle[:10], "it").name == PLAN.name
    assert site.approved_plan(bundle) == PLAN
    site.withdraw(bundle[:10], "it")
    assert site.approved_plan(bundle) is None
    assert [line["what"] for line in site.journal.lines()] == ["plan.approved", "plan.withdrawn"]
    with pytest.raises(InputError, match="0 offered plans begin with 'zz'"):
        site.approve("zz", "it")


def test_a_plan_file_that_was_changed_after_approval_may_not_run(site: "SiteFolder") -> None:
    bundle = agreement_hash(PLAN)
    site.approve(bundle, "it")
    changed = PLAN.model_copy(update={"seed": PLAN.seed + 1})
    (site.path / "offers" / f"{bundle}.json").write_text(changed.model_dump_json())
    assert site.approved_plan(bundle) is None
    with pytest.raises(InputError, match="was offered for other code than is installed here"):
        site.approve(bundle, "it")


def test_other_code_than_was_approved_may_not_run(site: "SiteFolder", monkeypatch: pytest.MonkeyPatch) -> None:
    from federated.trust import agreement as bundles

    bundle = agreement_hash(PLAN)
    site.approve(bundle, "it")
    monkeypatch.setattr(bundles, "code_hash", lambda: "0" * 64)
    assert site.approved_plan(bundle) is None


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no site there; `fetal-health federate join KIT` makes one"):
        SiteFolder(tmp_path)


@contextmanager
def answering(folder: Path, days: int, content: bytes, status: int = 200) -> Iterator[str]:
    """A TLS server that answers every question with the same words; with status 0 it hangs up instead."""
    make_certificates(folder, "north", "127.0.0.1", days)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if status == 0:
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.network
@pytest.mark.parametrize(
    ("days", "content", "words"),
    [
        (-1, b"{}", "has expired: the server renews it when it is started again"),
        (9, b"hello", "what answers at .* is no federation of this kind"),
        (9, b"[]", "what answers at .* is no federation of this kind"),
    ],
)
def test_a_server_that_cannot_be_trusted_is_named(tmp_path: Path, days: int, content: bytes, words: str) -> None:
    with answering(tmp_path, days, content) as address, pytest.raises(JoinError, match=words):
        ask(address, tmp_path / "ca.crt", "hello", signed({}, new_key()))


@pytest.mark.network
@pytest.mark.parametrize(("status", "words"), [(0, "does not answer"), (500, r"answers with an error \(500\)")])
def test_a_server_that_fails_in_the_middle_may_be_asked_again(tmp_path: Path, status: int, words: str) -> None:
    with (
        answering(tmp_path, 9, b"Internal Server Error", status) as address,
        pytest.raises(UnreachableError, match=words),
    ):
        ask(address, tmp_path / "ca.crt", "hello", signed({}, new_key()))


@pytest.mark.network
def test_another_authority_is_not_trusted_and_nobody_is_unreachable(tmp_path: Path) -> None:
    make_certificates(tmp_path / "other", "south", "127.0.0.1")
    with answering(tmp_path, 9, b"{}") as address:
        assert ask(address, tmp_path / "ca.crt", "hello", signed({}, new_key())) == {}
        with pytest.raises(JoinError, match="not of the federation that made this kit"):
            ask(address, tmp_path / "other" / "ca.crt", "hello", signed({}, new_key()))
    with pytest.raises(UnreachableError, match="cannot be reached: is it running, does the firewall"):
        ask(address, tmp_path / "ca.crt", "hello", signed({}, new_key()))
