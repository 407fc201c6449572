"""A round of unmodified Flower, for comparison: its SuperLink, two SuperNodes, and a ClientApp without work.

Without TLS and node authentication, so the comparison favours it.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.postgresql import free_port

ROUNDS = 4
PYPROJECT = """[project]
name = "stock"
version = "1.0.0"
license = "Apache-2.0"
[tool.flwr.app]
publisher = "bench"
[tool.flwr.app.components]
serverapp = "stock.app:server"
clientapp = "stock.app:client"
[tool.flwr.app.config]
out = ""
"""
APP = """
import time
from flwr.app import Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

server = ServerApp()
client = ClientApp()


@server.main()
def main(grid, context):
    while len(list(grid.get_node_ids())) < 2:
        time.sleep(0.5)
    with open(context.run_config["out"], "w") as out:
        for _ in range({rounds} + 1):
            messages = [Message(RecordDict(), message_type="train", dst_node_id=n) for n in grid.get_node_ids()]
            list(grid.send_and_receive(messages))
            print(time.time(), file=out, flush=True)


@client.train()
def train(message, context):
    return Message(RecordDict({{"m": MetricRecord({{"x": 1.0}})}}), reply_to=message)
"""
CONFIG = """[superlink]
default = "bench"
[superlink.bench]
address = "127.0.0.1:{port}"
insecure = true
"""


def seconds_a_round() -> float:
    """Mean time of some rounds after the first; the first also starts processes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app = folder / "app"
        (app / "stock").mkdir(parents=True)
        (app / "pyproject.toml").write_text(PYPROJECT)
        (app / "stock" / "__init__.py").write_text("")
        (app / "stock" / "app.py").write_text(APP.format(rounds=ROUNDS))
        port, out = free_port(), folder / "out"
        (folder / "home").mkdir()
        (folder / "home" / "config.toml").write_text(CONFIG.format(port=port))
        quiet = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "FLWR_HOME": str(folder / "home")}
        environment = {**os.environ, **quiet}
        processes: list[subprocess.Popen[bytes]] = []

        def start(*line: str) -> None:
            with (folder / "log").open("ab") as log:
                processes.append(
                    subprocess.Popen(line, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True)
                )

        try:
            link = f"127.0.0.1:{port}"
            start("flower-superlink", "--insecure", "--port", str(port), "--disable-runtime-dependency-installation")
            time.sleep(5)
            for _ in range(2):
                start("flower-supernode", "--insecure", "--superlink", link, "--port", str(free_port()))
            time.sleep(3)
            start("flwr", "run", str(app), "bench", "--run-config", f'out="{out}"')
            deadline = time.monotonic() + 120
            while not out.exists() or len(out.read_text().splitlines()) <= ROUNDS:
                if time.monotonic() > deadline:
                    raise RuntimeError((folder / "log").read_text()[-2000:])
                time.sleep(0.5)
            times = [float(line) for line in out.read_text().split()]
            return (times[-1] - times[0]) / ROUNDS
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(20)


if __name__ == "__main__":
    print(f"{seconds_a_round():.1f} s a round")
