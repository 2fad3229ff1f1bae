"""Run the demo of an installed wheel in an empty folder: `python -m tests.wheel_demo COMMAND`."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from urllib.error import URLError
from urllib.request import urlopen


def main(command: str) -> None:
    """Exit with a message unless the demo of this command shows its inbox and its report."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [command, "demo", "--port", str(port)], cwd=folder, start_new_session=True
        )
        try:
            inbox = _open(f"http://localhost:{port}/demo/inbox")
            report = _open(f"http://localhost:{port}/demo/report")
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
    if "Weekly news" not in inbox:
        sys.exit("The wheel's demo shows no email.")
    if "Harbour offers" not in report:
        sys.exit("The wheel's demo shows no report.")
    sys.stdout.write("The wheel's demo works in an empty folder.\n")


def _open(url: str) -> str:
    end = time.monotonic() + 90
    while True:
        try:
            # The demo accepts connections before it has made its history.
            with urlopen(url, timeout=60) as page:
                return str(page.read().decode())
        except (URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1])
