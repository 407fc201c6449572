"""What one trace, one image and one assessment take; start-up; the server beside others; federation speed.

What many users at once cost is ``python -m benchmarks.table``.
"""

import importlib.util
import time

from benchmarks import commands, ctg, serving, ultrasound
from benchmarks.installation import installation
from benchmarks.memory import pss_mb
from benchmarks.peers import environment
from models.bundle import Bundle, shipped


def main() -> None:
    """Run everything and print tables."""
    bundle = Bundle(shipped()).warm()
    ctg.show(ctg.table(bundle))
    ultrasound.show(bundle)
    commands.show()
    with installation() as place:
        started = time.perf_counter()
        server = place.serve()
        ready = time.perf_counter() - started
        print(f"\nready after {ready:.2f} s; the idle web process holds {pss_mb(server.pid):.0f} MB (PSS)")
    serving.compare(environment())
    if importlib.util.find_spec("flwr") is not None:
        from benchmarks import federation, hospitals

        federation.show()
        hospitals.show(hospitals.measure(kills=0))


if __name__ == "__main__":
    main()
