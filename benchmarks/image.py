"""The serving image, built, migrated and served as its plain user with Debian's buildah, which needs no daemon.

``sudo python -m benchmarks.image`` (needs root, ``buildah`` and ``debootstrap``) makes a base image like
``python:3.11-slim`` of Debian's packages and the Python that runs this, builds the target ``serve`` of the Dockerfile
on it, and prints its size.
It then migrates and serves a volume as the user of the image, and asks whether it is ready.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.postgresql import free_port

ROOT = Path(__file__).parents[1]
BASE, IMAGE = "docker.io/library/python:3.11-slim", "localhost/fetal-health:serve"
PACKAGES = "ca-certificates,libssl3,libffi8,libsqlite3-0,libbz2-1.0,liblzma5,libreadline8"
# What the slim image leaves out too.
LEFT_OUT = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
CLEAN = 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\nAPT::Keep-Downloaded-Packages "false";\n'
# What of this machine's configuration a build needs: package index and certificates.
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
CONFIGURATION = ("/etc/pip.conf", "/root/.config/pip/pip.conf", "/root/.pip/pip.conf", "/root/.npmrc", CERTIFICATES)

VARIABLES = ("PIP_", "NPM_", "npm_config", "SSL_", "REQUESTS_", "NODE_EXTRA")


def buildah(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run buildah without a daemon and without mounts of its own."""
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    return subprocess.run(
        ["buildah", *words], env=environment, check=True, text=True, stdout=subprocess.PIPE, **options
    )  # type: ignore[call-overload,no-any-return]


def base(folder: Path) -> None:
    """A base image with Python and this machine's configuration of package indexes."""
    root = folder / "root"
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for left_out in LEFT_OUT:
        shutil.rmtree(root / left_out)
        (root / left_out).mkdir()
    (root / "etc/apt/apt.conf.d/docker-clean").write_text(CLEAN)
    # Debian's own Python is too old for this project: the base gets the one that runs this.
    skipped = shutil.ignore_patterns("test", "__pycache__", "*.a", "site-packages")
    shutil.copytree(sys.base_prefix, root / "usr/local", symlinks=True, dirs_exist_ok=True, ignore=skipped)
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    for place in (*CONFIGURATION, "/etc/resolv.conf", "/etc/hosts"):
        with suppress(OSError):
            (root / place.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, root / place.lstrip("/"))
    container = buildah("from", "scratch").stdout.strip()
    buildah("copy", "-q", container, str(root), "/")
    for name, value in os.environ.items():
        if name.startswith(VARIABLES) or "proxy" in name.lower():
            buildah("config", "--env", f"{name}={value}", container)
    buildah("commit", "-q", "--rm", container, BASE)


@dataclass(frozen=True)
class Outcome:
    """What came of an image.

    Attributes
    ----------
    seconds, megabytes : int
        How long the target took to build, and how large it is with its base.
    user, migrated, checked, ready : str
        Who it runs as, and what its commands and its probe said.
    """

    seconds: int
    megabytes: int
    user: str
    migrated: str
    checked: str
    ready: str


def build(folder: Path) -> Outcome:
    """Build the target `serve` on a base made in `folder`, and use it; the images are removed at the end."""
    base(folder)
    begun = time.monotonic()
    buildah("bud", "-q", "--network", "host", "--target", "serve", "--tag", IMAGE, str(ROOT))
    seconds = round(time.monotonic() - begun)
    container = buildah("from", IMAGE).stdout.strip()
    try:
        place = buildah("mount", container).stdout.strip()
        size = subprocess.run(["du", "-sx", "--block-size=1MB", place], check=True, text=True, stdout=subprocess.PIPE)
        return Outcome(seconds, int(size.stdout.split()[0]), *_served(folder, container))
    finally:
        buildah("rm", container)
        buildah("rmi", "--force", IMAGE, BASE)


def _served(folder: Path, container: str) -> tuple[str, str, str, str]:
    """Migrate, check and serve a volume as the image's user, and ask whether it is ready."""
    home, port = folder / "data", free_port()
    home.mkdir()
    os.chown(home, 10001, 10001)
    run = ("run", "--network", "host", "--volume", f"{home}:/data", container, "--")
    user = buildah(*run, "id", "-u", "-n").stdout.strip()
    migrated = buildah(*run, "fetal-health", "migrate").stdout.strip()
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    line = ["buildah", *run, "fetal-health", "serve", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(line, env=environment, start_new_session=True)
    try:
        for _ in range(120):
            with suppress(httpx.HTTPError):
                answer = httpx.get(f"http://127.0.0.1:{port}/health/ready")
                checked = buildah(*run, "sh", "-c", "fetal-health doctor --deep || true").stdout.strip()
                return user, migrated, checked, f"{answer.status_code} {answer.text}"
            time.sleep(0.5)
        raise TimeoutError("the image does not serve")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait(30)


def hindrance() -> str:
    """Why no image can be built here; empty where one can."""
    missing = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    return f"building an image needs {' and '.join(missing)}" if missing else ""


def main() -> int:
    """Build, measure and serve."""
    if hindrance():
        print(hindrance())
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        outcome = build(Path(scratch))
    print(f"built in {outcome.seconds} s, {outcome.megabytes} MB with the base")
    print(f"as {outcome.user}: {outcome.migrated}\n{outcome.checked}\n{outcome.ready}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
