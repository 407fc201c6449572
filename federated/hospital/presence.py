"""The hellos of a node: a thread sends one every few seconds, also while the node trains."""

import threading
import time

from federated.hospital.folder import JoinError, OccupiedError, SiteFolder, UnreachableError

HELLO_S = 4.0
# After a crash the server takes the earlier node to be connected for this long.
PLACE_S = 15.0


class Presence:
    """Tells the server that the node is connected, and prints which agreements wait for an approval.

    Parameters
    ----------
    site : SiteFolder

    Attributes
    ----------
    refused : JoinError or None
        Why the server no longer admits this hospital.
    """

    def __init__(self, site: SiteFolder) -> None:
        self.site = site
        self.refused: JoinError | None = None
        self._announced: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._stay, daemon=True)

    def arrive(self) -> None:
        """Send the first hello as soon as the server answers, then one every few seconds.

        Raises
        ------
        JoinError
            The server refuses this hospital.
        """
        deadline, printed = time.monotonic() + PLACE_S, False
        while True:
            try:
                self._announce(self.site.hello(arriving=True))
                break
            except OccupiedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
            except UnreachableError as error:
                if not printed:
                    print(f"{error} It is tried again until it is.", flush=True)
                printed = True
                time.sleep(HELLO_S)
        self._thread.start()

    def leave(self) -> None:
        """Send the last hello, if the server can be reached."""
        self._over.set()
        self._thread.join()
        if self.refused is None:
            try:
                self.site.hello(leaving=True)
            except UnreachableError:
                pass  # the server cannot be told
            except JoinError as error:
                self.refused = error

    def _stay(self) -> None:
        while not self._over.wait(HELLO_S):
            try:
                self._announce(self.site.hello())
            except (UnreachableError, OSError):
                continue  # the server is away or the disk is full: try again, as Flower's connection does
            except JoinError as error:
                self.refused = error
                return

    def _announce(self, waiting: list[str]) -> None:
        """Print each agreement that waits for an approval, once."""
        for agreement in waiting:
            if agreement not in self._announced:
                _, plan = self.site.offer(agreement)
                command = f"fetal-health federate approve {self.site.path} {agreement[:12]}"
                print(f"plan {plan.name} ({agreement[:12]}) waits for approval: {command}", flush=True)
        self._announced = waiting
