"""Received messages: the files in `messages/`, and small ones that a test composes."""

from pathlib import Path

from preference_center.mail.incoming import Incoming, read

FOLDER = Path(__file__).parent / "messages"
LINK = "https://mail.example.org/u/1.token"
MAILTO = "mailto:u-token@in.example.org?subject=unsubscribe"


def raw(name: str) -> bytes:
    return (FOLDER / f"{name}.eml").read_bytes()


def message(name: str) -> Incoming:
    return read(raw(name))


def email(body: str = "Hello\n", **headers: str) -> bytes:
    """Return an email; `Auto_Submitted="no"` is a header `Auto-Submitted: no`."""
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return f"{head}\n{body}".encode()


def report(*recipients: str, text: str = "It could not be delivered.", returned: str = "") -> bytes:
    """Return a delivery report with the fields of some recipients."""
    blocks = "\n\n".join(("Reporting-MTA: dns; mx.example.net", *recipients))
    parts = (
        f"Content-Type: text/plain\n\n{text}\n",
        f"Content-Type: message/delivery-status\n\n{blocks}\n",
        f"Content-Type: message/rfc822\n\n{returned or 'From: news@example.org'}\n",
    )
    body = "".join(f"--edge\n{part}\n" for part in parts)
    kind = 'multipart/report; report-type=delivery-status; boundary="edge"'
    return email(f"{body}--edge--\n", Return_Path="<>", Content_Type=kind)
