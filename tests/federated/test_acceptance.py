"""A federation of real processes over TLS: what stock Flower does not do, one test a promise.

What is promised, and where it is held to:

1. trees of every class, log-loss near the central one: `test_stock_strategy.py`, `test_against_central.py`
2. a site killed in a round is refused or left out by the declared floor, by name: here
3. an answer that is no number is rejected, the site named, the run goes on: here, and `test_aggregation.py`
4. the server killed at any round: the next one follows, the same model: here; 20 times in `docs/evidence/privacy.md`
5. a site that is not named gets no message: here
6. uploads hold no statistics and no small leaf: `test_tree_documents.py`
7. the control interface is not there for hospitals: here
8. the text of a site's error never reaches the server: here, and `test_survival.py`
9. batch statistics: none in the network; refused under noise: `test_private_training.py`
10. figures of every site in every round, few rows not told: here, and `test_site_calibration.py`

A finished job exits with 3 here: the gate never lets a bundle of synthetic data take the place of one that people's
data made.
"""

import json
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from benchmarks.loopback import HOSPITALS, Loopback, plan_text, write_data
from benchmarks.postgresql import free_port
from federated.job import GATE_REFUSED
from federated.run import control
from federated.run.folder import RunFolder
from federated.run.status import read_status
from federated.trust.journal import Journal
from models.bundle import Bundle, shipped

pytestmark = [pytest.mark.soak, pytest.mark.network]
SECRET = "patient-jane-doe"


@pytest.fixture(scope="module")
def whole(loopback: Loopback) -> RunFolder:
    """A run of three hospitals that nothing happened to, while a fourth looks on."""
    loopback.join("zoe", write_data(loopback.folder / "data" / "zoe", 9))
    loopback.nodes("zoe")
    plan = loopback.plan(plan_text("whole", 5))
    run = loopback.run("whole", plan)
    loopback.approve(plan, *HOSPITALS)
    assert loopback.wait(run) == GATE_REFUSED, loopback.printed("whole")
    return run


def finished(run: RunFolder) -> dict[str, str]:
    """The run's last event."""
    event = run.events()[-1]
    assert event["kind"] == "finished", event
    return event


def logged(loopback: Loopback, name: str) -> list[str]:
    """What a hospital's own log says happened."""
    return [line["what"] for line in loopback.site(name).journal.lines()]


def test_a_run_between_hospitals_ends_in_a_candidate_with_its_lineage(loopback: Loopback, whole: RunFolder) -> None:
    manifest = Bundle(whole.candidate).manifest
    assert manifest["lineage"]["federation"] == "loopback"
    assert manifest["lineage"]["rounds"] == {"ctg": 5}
    assert manifest["lineage"]["model"].startswith(finished(whole)["model"])
    assert sorted(manifest["sites"]["ctg"]) == sorted(HOSPITALS)
    assert manifest["data"][0]["name"] == "synthetic rows of 3 hospitals"
    assert "between the hospitals of the federation loopback" in (whole.candidate / "MODEL_CARD.md").read_text()
    ours = [line["what"] for line in loopback.federation.journal.lines()]
    for what in ("hospital.joined", "plan.offered", "plan.approved", "run.started", "run.finished"):
        assert what in ours
    for name in HOSPITALS:
        assert {"joined", "plan.offered", "plan.approved", "run.accepted", "message"} <= set(logged(loopback, name))


def test_figures_of_every_site_are_there_in_every_round(whole: RunFolder) -> None:
    rounds = [event for event in whole.events() if event["kind"] == "round"]
    assert [event["sites"] for event in rounds] == [3.0] * 5
    for event in rounds:
        assert set(event["left_out_loss"]) == set(HOSPITALS)
    nodes = json.loads((whole.path / "results.json").read_text())["ctg"]["nodes"]
    assert all(nodes[name]["rows"] > 0 for name in HOSPITALS)


def test_a_hospital_that_the_plan_does_not_name_gets_no_message(loopback: Loopback, whole: RunFolder) -> None:
    assert {"joined", "node.started"} == set(logged(loopback, "zoe"))


def test_the_control_interface_is_not_there_for_hospitals(loopback: Loopback, whole: RunFolder) -> None:
    context = ssl.create_default_context(cafile=str(loopback.federation.path / "tls" / "ca.crt"))
    for path in ("/v1/control/start-run", "/v1/control/list-runs", "/v1/runtime/get-nodes", "/health", "/docs"):
        assert httpx.post(f"https://{loopback.federation.address}{path}", verify=context).status_code == 404
    inside = f"https://{loopback.federation.inside_address}/v1/control/list-runs"
    assert httpx.post(inside, verify=context).status_code != 404
    # The inside door is not there for other machines either: it listens on loopback only.
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in own - {"127.0.0.1"}:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, int(loopback.federation.settings["inside_port"])), 2)


def test_killed_again_and_again_the_run_ends_with_the_same_model(loopback: Loopback, whole: RunFolder) -> None:
    plan = whole.path / "plan.toml"
    run = loopback.run("killed", plan)
    loopback.wait_for_round(run, 1)
    loopback.kill("server")
    loopback.serve()
    loopback.wait_for_round(run, 2)
    loopback.kill("killed")
    loopback.run("killed")
    loopback.wait_for_round(run, 3)
    control.stop(run.path)  # in order, as an operator would
    assert loopback.wait(run) == 130
    loopback.run("killed")
    time.sleep(3)
    loopback.kill("server")
    loopback.kill("killed")
    loopback.serve()
    loopback.run("killed")
    assert loopback.wait(run) == GATE_REFUSED, loopback.printed("killed")
    assert finished(run)["model"] == finished(whole)["model"]
    numbers = [event["round"] for event in run.events() if event["kind"] == "round"]
    assert numbers == [1, 2, 3, 4, 5]
    for name in ("ctg.json", "ctg_table.ubj", "ctg_trace.ubj"):
        assert (run.candidate / name).read_bytes() == (whole.candidate / name).read_bytes()


def test_a_hospital_killed_in_a_round_leaves_by_name_above_the_floor(loopback: Loopback, whole: RunFolder) -> None:
    plan = loopback.plan(plan_text("lost", 4, "minimum_sites = 2\nanswer_within_s = 8"))
    run = loopback.run("lost", plan)
    loopback.approve(plan, *HOSPITALS)
    loopback.wait_for_round(run, 1)
    loopback.kill("mary")
    assert loopback.wait(run) == GATE_REFUSED, loopback.printed("lost")
    lost = [event for event in run.events() if event["kind"] == "lost"]
    assert [event["site"] for event in lost] == ["mary"]
    assert lost[0]["why"] in {"no answer within 8 s", "it went away"}
    assert Bundle(run.candidate).manifest["lost_sites"] == {"mary": lost[0]["why"]}
    assert run.events()[-1]["kind"] == "finished"
    loopback.nodes("mary")


def broken_node(loopback: Loopback, name: str, patch: str) -> None:
    """Start a hospital's node whose data or code are damaged in memory."""
    loopback.end(name)
    program = f"import sys\n{patch}\nfrom app.cli import main\nsys.argv[0] = 'fetal-health'\nmain()"
    line = [sys.executable, "-c", program, "federate", "node", str(loopback.site(name).path)]
    with (loopback.folder / f"{name}.log").open("ab") as log:
        loopback.processes[name] = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def test_an_answer_that_is_no_number_and_an_error_cost_the_site_and_tell_nothing(
    loopback: Loopback, whole: RunFolder
) -> None:
    damaged = "import federated.trees.site as t; real = t.TreeSite.leaf_sums\n"
    damaged += "t.TreeSite.leaf_sums = lambda self, *a: [s * float('nan') for s in real(self, *a)]"
    raising = f"import federated.trees.site as t\ndef f(*a): raise ValueError('{SECRET}')\nt.TreeSite.leaf_sums = f"
    broken_node(loopback, "luke", damaged)
    broken_node(loopback, "mary", raising)
    plan = loopback.plan(plan_text("damaged", 2, "minimum_sites = 1"))
    run = loopback.run("damaged", plan)
    loopback.approve(plan, *HOSPITALS)
    assert loopback.wait(run) == GATE_REFUSED, loopback.printed("damaged")
    lost = {event["site"]: event["why"] for event in run.events() if event["kind"] == "lost"}
    assert set(lost) == {"luke", "mary"}
    assert "not finite: look for damaged rows there" in lost["luke"]
    assert lost["mary"] == "an error there; its own log says which"
    assert SECRET in next((loopback.site("mary").path / "work").glob("*/errors.log")).read_text()
    told = [path for top in (loopback.federation.path, run.path) for path in top.rglob("*") if path.is_file()]
    told += [loopback.folder / "server.log", loopback.folder / "damaged.log"]
    assert not [path for path in told if SECRET.encode() in path.read_bytes()]
    for name in ("luke", "mary"):
        loopback.end(name)
    loopback.nodes("luke", "mary")


def test_a_hospital_that_stalls_is_left_behind_at_the_deadline(loopback: Loopback, whole: RunFolder) -> None:
    stalling = "import time, federated.trees.site as t\nt.TreeSite.leaf_sums = lambda *a: time.sleep(600)"
    broken_node(loopback, "luke", stalling)
    plan = loopback.plan(plan_text("stalled", 2, "minimum_sites = 2\nanswer_within_s = 6"))
    run = loopback.run("stalled", plan)
    loopback.approve(plan, *HOSPITALS)
    assert loopback.wait(run) == GATE_REFUSED, loopback.printed("stalled")
    lost = {event["site"]: event["why"] for event in run.events() if event["kind"] == "lost"}
    assert lost == {"luke": "no answer within 6 s"}
    loopback.kill("luke")
    loopback.nodes("luke")


def test_the_same_women_at_two_hospitals_are_refused_before_the_first_round(
    loopback: Loopback, whole: RunFolder
) -> None:
    loopback.join("twin", loopback.folder / "data" / "anne")
    loopback.nodes("twin")
    plan = loopback.plan(plan_text("twice", 2, sites=("anne", "luke", "twin")))
    run = loopback.run("twice", plan)
    loopback.approve(plan, "anne", "luke", "twin")
    assert loopback.wait(run) == 1
    assert "the same women stand at two sites (30 at anne and twin)" in run.events()[-1]["reason"]
    assert loopback.rounds(run) == 0
    for name, count in (("anne", 30), ("twin", 30)):
        (noted,) = (loopback.site(name).path / "work").glob("*/duplicates.txt")
        assert len(noted.read_text().splitlines()) == count
    assert not list((loopback.site("luke").path / "work").glob("*/duplicates.txt"))


def test_a_plan_changed_after_approval_is_not_answered(loopback: Loopback, whole: RunFolder) -> None:
    plan = loopback.plan(plan_text("whole", 6).replace("approve_within_s = 40", "approve_within_s = 4"))
    run = loopback.run("changed", plan)
    assert loopback.wait(run) == 1
    reason = run.events()[-1]["reason"]
    assert "not approved by anne, luke, mary within 4 s: 0 of 3 sites approved, 3 needed" in reason
    assert "federate approve" in reason


def test_a_withdrawn_approval_stops_the_hospital(loopback: Loopback, whole: RunFolder) -> None:
    site = loopback.site("luke")
    bundle = next(bundle for bundle, entry in site.approvals().items() if entry["plan"] == "whole")
    site.withdraw(bundle, "the hospital")
    run = loopback.run("withdrawn", whole.path / "plan.toml")
    assert loopback.wait(run) == 1
    assert "no usable answer from luke (the plan is not approved there)" in run.events()[-1]["reason"]
    assert loopback.rounds(run) == 0
    assert logged(loopback, "luke")[-1] == "run.refused"


def test_a_revoked_hospital_is_out_at_once(loopback: Loopback, whole: RunFolder) -> None:
    loopback.federation.revoke("zoe")
    assert loopback.processes["zoe"].wait(30) == 2
    assert "zoe was revoked; ask the federation's operator" in loopback.printed("zoe")
    run = loopback.run("revoked", loopback.plan(plan_text("revoked", 2, sites=("anne", "zoe"))))
    assert loopback.wait(run) == 1
    assert "zoe is revoked: take it out of the plan's sites" in run.events()[-1]["reason"]


def test_a_kit_used_twice_and_another_federations_certificate_are_refused(loopback: Loopback, whole: RunFolder) -> None:
    from federated.coordinator import kit
    from federated.coordinator.folder import FederationFolder
    from federated.hospital.folder import JoinError, SiteFolder
    from federated.hospital.preflight import preflight
    from federated.trust import kit as kits

    data = write_data(loopback.folder / "data" / "ruth", 12)
    made = loopback.invite("ruth")
    held = preflight("ruth", data, None, loopback.folder)
    SiteFolder.create(loopback.folder / "sites" / "ruth", kits.read(made), made, held)
    with pytest.raises(JoinError, match="the kit of ruth was used on"):
        SiteFolder.create(loopback.folder / "sites" / "ruth-2", kits.read(made), made, held)
    host, port = loopback.federation.address.split(":")
    other = FederationFolder.create(loopback.folder / "other", "other", host, int(port), 1)
    foreign = kit.create(other, "ruth", loopback.folder / "foreign")
    with pytest.raises(JoinError, match="not of the federation that made this kit"):
        SiteFolder.create(loopback.folder / "sites" / "ruth-3", kits.read(foreign), foreign, held)


def test_nobody_else_may_use_a_nodes_folder_or_a_copy_of_it(loopback: Loopback, whole: RunFolder) -> None:
    import shutil

    folder = loopback.site("anne").path
    shutil.copytree(folder, loopback.folder / "copy")
    for path, words in ((folder, "a node is running on"), (loopback.folder / "copy", "already connected from another")):
        line = [sys.executable, "-m", "app.cli", "federate", "node", str(path)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_status_of_a_run_between_hospitals(whole: RunFolder) -> None:
    found = read_status(whole.path)
    assert (found.state, found.rounds["ctg"]["round"]) == ("finished", 5)
    assert found.candidate == Bundle(whole.candidate).identifier
    assert found.candidate != Bundle(shipped()).identifier


def test_a_port_that_is_taken_ends_the_server_in_one_line(loopback: Loopback, tmp_path: Path) -> None:
    taken = int(loopback.federation.settings["port"])
    for outside, inside in ((taken, 1), (1, taken)):
        chosen = [port if port != 1 else free_port() for port in (outside, inside)]
        ports = ["--port", str(chosen[0]), "--inside-port", str(chosen[1])]
        line = [sys.executable, "-m", "app.cli", "federate", "serve", "--folder", str(tmp_path / f"{outside}"), *ports]
        done = subprocess.run([*line, "--bind", "127.0.0.1"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert f"port {taken} is taken: is another server running?" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_logs_hold_after_all_of_this(loopback: Loopback) -> None:
    for site in (path.parent for path in (loopback.folder / "sites").glob("*/site.json")):
        assert list(Journal(site / "journal.jsonl").lines())
    line = [sys.executable, "-m", "app.cli", "federate", "log", str(loopback.federation.path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    assert "the chain holds" in done.stdout
