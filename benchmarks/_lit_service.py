"""The inference as a LitServe service; `benchmarks.peer_service` starts it."""

import sys
from typing import Any

import litserve  # type: ignore[import-not-found,unused-ignore]
from fastapi import Request

from benchmarks.peer_service import Inference


class Api(litserve.LitAPI):  # type: ignore[misc,unused-ignore]
    """One assessment of an hour of CTG and an image."""

    def setup(self, device: str) -> None:
        """Load the models in a worker."""
        self.inference = Inference()

    def decode_request(self, request: Request) -> tuple[bytes, bytes]:
        """The two files of a form."""
        return request["ctg"].file.read(), request["image"].file.read()  # type: ignore[index]

    def predict(self, given: tuple[bytes, bytes]) -> dict[str, Any]:
        """The result as our server stores it."""
        return self.inference(*given)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """As it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(api_path="/assess"), accelerator="cpu", workers_per_device=int(sys.argv[2]), timeout=120
    )
    server.run(port=int(sys.argv[1]), host="127.0.0.1", log_level="warning", generate_client_file=False)
