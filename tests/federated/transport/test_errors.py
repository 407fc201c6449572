"""What goes wrong at a site: its text stays there, a full disk is said in words that are known here."""

import errno
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import need

SECRET = "patient-jane-doe"


@pytest.fixture(autouse=True)
def _a_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    from federated.sites.site import SITES_VARIABLE
    from federated.transport.flower_private import TaskIdentity

    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    monkeypatch.setenv(SITES_VARIABLE, str(tmp_path))
    (tmp_path / "0").mkdir()


def reply_to(error: Exception) -> Any:
    """What a handler that raises this makes of a message."""
    from flwr.app import Message, RecordDict

    from federated.transport.errors import guarded

    def fails(message: Any, context: Any) -> Any:
        raise error

    message = Message(RecordDict(), message_type="train.trees", dst_node_id=1)
    return guarded(message, SimpleNamespace(node_config={"partition-id": 0}), fails)  # type: ignore[arg-type]


def test_the_text_stays_at_the_site(tmp_path: Path) -> None:
    from federated.transport.errors import REASON

    reply = reply_to(ValueError(SECRET))
    assert reply.error.reason == REASON
    assert SECRET in (tmp_path / "0" / "errors.log").read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said(number: int) -> None:
    from federated.transport.errors import DISK_FULL

    assert reply_to(OSError(number, "no space", f"/data/{SECRET}")).error.reason == DISK_FULL


def test_a_log_that_cannot_be_written_does_not_hide_the_error(tmp_path: Path) -> None:
    (tmp_path / "0").rmdir()
    assert reply_to(ValueError("x")).has_error()


def test_the_server_shows_known_words_only() -> None:
    from flwr.app import Error, Message, RecordDict

    from federated.transport.errors import DISK_FULL, REASON
    from federated.transport.grid import GONE, _reason

    message = Message(RecordDict(), message_type="train.trees", dst_node_id=1)

    def shown(code: int, text: str) -> str:
        return _reason(Message(Error(code, text), reply_to=message))

    assert shown(2, DISK_FULL) == DISK_FULL
    assert shown(2, SECRET) == REASON
    assert shown(5, "node unavailable") == GONE


def test_a_job_whose_disk_is_full_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from federated import job
    from federated.plan import load, shipped_plans
    from federated.run import control
    from federated.run.status import read_status

    folder, _ = control.prepare(tmp_path, load(shipped_plans()["synthetic"]))

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "checkpoints" / "ctg-00003.json.z"))

    monkeypatch.setattr(job, "run", full)
    assert job.main([str(folder)]) == 1
    printed = capsys.readouterr()
    assert "No space left on device" in printed.err
    assert "run the same command again to go on" in read_status(folder).reason
    assert "Traceback" not in printed.err + printed.out
