"""Sends arbitrary requests, valid and invalid ones, to every endpoint of the API (schemathesis).

    fuzzing.run(database_url, "--phases", "coverage")

Fails if one is answered with 5xx, or otherwise than the OpenAPI document says.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.support import make, processes
from tests.support.api import create_key
from tests.support.site import Site

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
SUPPORT = Path(__file__).parent
FIXED = ("--checks=all", "--warnings=off", "--no-color", "--generation-database=none")


def run(database_url: str, folder: Path, *options: str) -> str:
    """Return what schemathesis prints. It starts in `folder`, where it writes its files."""
    key = _prepared(database_url)
    port = processes.free_port()
    base_url = f"http://127.0.0.1:{port}"
    settings = make.environment(
        DATABASE_URL=database_url,
        PUBLIC_URL=base_url,
        SMTP_URL="smtp://localhost:9",
        MAIL_FROM="letters@example.org",
    )
    serve = ("-m", "tests.support.fuzzed_server", "serve", "--port", str(port))
    with processes.running(settings, *serve, program=sys.executable) as server:
        processes.wait_until_answering(server, f"{base_url}/healthz")
        done = subprocess.run(
            [
                *(SCHEMATHESIS, "--config-file", str(SUPPORT / "schemathesis.toml")),
                *("run", f"{base_url}/api/v1/openapi.json"),
                *("-H", f"Authorization: Bearer {key}", *FIXED, *options),
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(SUPPORT.parents[1]),
                "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Error" not in server.output
        return done.stdout


def _prepared(database_url: str) -> str:
    """Add two subscribers of two topics, and return the text of a key with all scopes."""
    site = Site(database_url)
    try:
        site.subscribe("ada@example.org", "bob@example.org")
        return create_key(site)
    finally:
        site.close()
