"""Making a hospital's kit: one file with everything that it needs to join, valid for one use.

The kit holds a key pair that serves one purpose, once: to register the key that the hospital makes for itself.
"""

import io
import json
import re
import secrets
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from federated.coordinator.folder import FederationFolder, Hospital
from federated.trust.identity import new_key, private_pem, public_pem
from federated.trust.kit import VALID_DAYS
from models.errors import InputError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
SERVICE = """# Change the paths to yours, copy to /etc/systemd/system, then `systemctl enable --now fetal-health-node`.
[Unit]
Description=Fetal-Health federation node of {name}
After=network-online.target
Wants=network-online.target

[Service]
User=fetal-health
ExecStart=/opt/fetal-health/.venv/bin/fetal-health federate node /var/lib/fetal-health/{name}
Restart=on-failure
RestartSec=10
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ReadWritePaths=/var/lib/fetal-health/{name}

[Install]
WantedBy=multi-user.target
"""
COMPOSE = """# The node in a container; it only calls out, to {address}. Once, with the kit beside this:
#   docker compose run --rm -v ./{name}.kit:/kit:ro node \\
#     fetal-health federate join /kit --data /data --folder /site/{name} --no-start
# then `docker compose up -d`.
services:
  node:
    image: fetal-health-federation
    command: ["fetal-health", "federate", "node", "/site/{name}"]
    healthcheck: {{disable: true}}
    restart: unless-stopped
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    volumes:
      - ./site:/site
      - ./data:/data:ro
"""
README = """Kit of {name} for the federation {federation}. Valid for one use, until {expires}. Keep it secret.

On the hospital's machine, with Fetal-Health installed (`make install`):

    fetal-health federate join {name}.kit --data FOLDER_WITH_YOUR_DATA

It checks the data, makes the hospital's own key (which never leaves the machine) and registers it. It shows every plan
on offer and asks before it approves one. It then answers the federation until it is stopped. It only opens connections
to {address}; it accepts none.
To keep it running: fetal-health-node.service (systemd) or compose.yaml (container).
Fetal-Health is a research prototype, not a medical device.
"""


def create(federation: FederationFolder, name: str, target: Path, days: int = VALID_DAYS) -> Path:
    """Make a kit for a new hospital, or a new one for a hospital that was revoked or lost its machine.

    Parameters
    ----------
    federation : FederationFolder
    name : str
        Lower-case letters, digits, hyphens.
    target : Path
        Folder for ``NAME.kit``.
    days : int
        Number of days until the kit expires.

    Raises
    ------
    InputError
        The name cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r}: a hospital's name is lower-case letters, digits and hyphens, at most 41")
    hospitals = {hospital.name: hospital for hospital in federation.hospitals()}
    number = hospitals[name].number if name in hospitals else len(hospitals)
    key, identifier = new_key(), secrets.token_hex(6)
    expires = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    hospital = Hospital(name, number, "invited", identifier, public_pem(key.public_key()), expires)
    if name in hospitals:  # its old node stays excluded until the new kit is used
        hospital = replace(hospital, node=hospitals[name].node)
    federation.save_hospital(hospital, "kit.created", kit=identifier, expires=expires)
    about = {
        "hospital": name,
        "federation": federation.name,
        "address": federation.address,
        "number": number,
        "identifier": identifier,
        "expires": expires,
    }
    words = {**about, "name": name}
    files = {
        "kit.json": json.dumps(about, indent=1).encode(),
        "ca.crt": federation.authority,
        "enrolment.key": private_pem(key),
        "fetal-health-node.service": SERVICE.format(**words).encode(),
        "compose.yaml": COMPOSE.format(**words).encode(),
        "README.txt": README.format(**words).encode(),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{name}.kit"
    path.write_bytes(buffer.getvalue())
    path.chmod(0o600)
    return path
