"""A node says hello every few seconds, in a thread of its own, so that it is there also while it trains."""

import threading
import time

from federated.hospital.folder import JoinError, OccupiedError, SiteFolder, UnreachableError

HELLO_S = 4.0
# After a crash the server holds the place of the node that was for a while.
PLACE_S = 15.0


class Presence:
    """What the server is told of a node, and what it answers: plans that wait for an approval, or a refusal.

    Parameters
    ----------
    site : SiteFolder

    Attributes
    ----------
    refused : JoinError or None
        Why the server no longer lets this hospital in.
    """

    def __init__(self, site: SiteFolder) -> None:
        self.site = site
        self.refused: JoinError | None = None
        self._named: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._stay, daemon=True)

    def arrive(self) -> None:
        """The first hello, as soon as the server is there; then one every few seconds.

        Raises
        ------
        JoinError
            Refused.
        """
        deadline, said = time.monotonic() + PLACE_S, False
        while True:
            try:
                self._name(self.site.hello(arriving=True))
                break
            except OccupiedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
            except UnreachableError as error:
                if not said:
                    print(f"{error} It is tried again until it is.", flush=True)
                said = True
                time.sleep(HELLO_S)
        self._thread.start()

    def leave(self) -> None:
        """The last hello, if there is somebody to hear it."""
        self._over.set()
        self._thread.join()
        if self.refused is None:
            try:
                self.site.hello(leaving=True)
            except UnreachableError:
                pass  # nobody is there to be told
            except JoinError as error:
                self.refused = error

    def _stay(self) -> None:
        while not self._over.wait(HELLO_S):
            try:
                self._name(self.site.hello())
            except (UnreachableError, OSError):
                continue  # the server is away, or the disk is full: Flower's connection goes on, and so does this
            except JoinError as error:
                self.refused = error
                return

    def _name(self, waiting: list[str]) -> None:
        """Name plans that wait for an approval, once."""
        for bundle in waiting:
            if bundle not in self._named:
                _, plan = self.site.offer(bundle)
                command = f"fetal-health federate approve {self.site.path} {bundle[:12]}"
                print(f"plan {plan.name} ({bundle[:12]}) waits for approval: {command}", flush=True)
        self._named = waiting
