"""`doctor`: check whether a received email gets an Unsubscribe button; print text or JSON."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import BinaryIO

import click

from preference_center.cli.common import settings_or_exit
from preference_center.cli.files import opened_output
from preference_center.doctor.check import MessageReport, check_message, compare, probe_link
from preference_center.doctor.keys import NoKeyFileError, StaticKey, read_key
from preference_center.doctor.link import Installation
from preference_center.doctor.report import CHECKS, Finding, Report, overall_button, printable
from preference_center.mail.dkim_keys import DnsKeys
from preference_center.mail.raw_message import MAX_MESSAGE_BYTES
from preference_center.settings.reader import SettingsReader

_MARKS = {"pass": "✓", "note": "·", "warning": "!", "failure": "✗"}
_COLOURS = {"pass": "green", "note": None, "warning": "yellow", "failure": "red"}
_BUTTON = {
    True: "Button: yes. Nothing in the email keeps a mailbox provider from showing it",
    False: "Button: no. A mailbox provider would show none, or one that does not work",
    None: "Button: unknown. A check that it depends on could not be made",
}
_NAMES = max(map(len, CHECKS.values()))
_MIN_WIDE = 70  # columns; on narrower terminals the text goes below the name of the check


@click.command()
@click.argument("messages", nargs=-1, required=True, metavar="MESSAGE...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")
@click.option(
    "--dkim-key",
    metavar="FILE",
    help="Verify all signatures with this public key (PEM or DKIM record) instead of DNS.",
)
@click.option("--probe", is_flag=True, help="Open the link with GET and HEAD.")
@click.option(
    "--probe-post",
    is_flag=True,
    help="Also POST to it like a mailbox provider. This unsubscribes the recipient.",
)
def doctor(
    messages: tuple[str, ...], as_json: bool, dkim_key: str | None, probe: bool, probe_post: bool
) -> None:
    """Check whether a received email gets an Unsubscribe button.

    MESSAGE is a file with the complete email, including its headers; - is standard input.
    The topics of several messages are compared as well. No settings are needed, but
    PUBLIC_URL, LINK_KEYS and MAIL_FROM are used if they are set.

    Exit status: 0 if each message gets a button, 1 if one does not or if that is unknown,
    2 if a file cannot be read.
    """
    installation = settings_or_exit(read_installation)
    keys = DnsKeys() if dkim_key is None else _key_in(dkim_key)
    reports = {
        name: check_message(_read(name), installation, keys.find)
        for name in dict.fromkeys(messages)
    }
    if probe or probe_post:
        for each in reports.values():
            probe_link(each, installation, post=probe_post)
    comparison = compare(reports.values())
    with opened_output("-") as file:
        if as_json:
            file.write(_json(reports, comparison))
        else:
            for line in _lines(reports, comparison, shutil.get_terminal_size().columns):
                click.echo(line, file=file)
    if overall_button(each.report for each in reports.values()) is not True:
        sys.exit(1)


def read_installation(environ: Mapping[str, str]) -> Installation:
    """Return the settings that are set; raise SettingsError if one is invalid."""
    reader = SettingsReader(environ)
    installation = Installation(
        public_url=reader.public_url("PUBLIC_URL", required=False),
        link_keys=reader.keys("LINK_KEYS", required=False),
        mail_from=reader.sender("MAIL_FROM")[1],
    )
    reader.finish()
    return installation


def _key_in(file: str) -> StaticKey:
    try:
        return read_key(_read(file))
    except NoKeyFileError as error:
        raise click.BadParameter(f"{printable(file)}: {error}.", param_hint="--dkim-key") from error


def _read(name: str) -> bytes:
    """Return the content of a file, cut off one byte above the limit."""
    if name == "-":
        return _start_of(sys.stdin.buffer)
    with Path(name).open("rb") as file:
        return _start_of(file)


def _start_of(file: BinaryIO) -> bytes:
    return file.read(MAX_MESSAGE_BYTES + 1)


def _json(reports: Mapping[str, MessageReport], comparison: Report) -> str:
    document = {
        "button": overall_button(each.report for each in reports.values()),
        "messages": [
            {
                "file": printable(name, len(name)),
                "button": each.report.button,
                "findings": list(map(asdict, each.report.findings)),
            }
            for name, each in reports.items()
        ],
        "cross_message": list(map(asdict, comparison.findings)),
    }
    return json.dumps(document, indent=2) + "\n"


def _lines(reports: Mapping[str, MessageReport], comparison: Report, width: int) -> Iterator[str]:
    for name, each in reports.items():
        yield from (printable(name, len(name)), "")
        yield from _findings(each.report, width)
        yield from ("", f"  {_summary(each.report)}", "")
    if comparison.findings:
        yield from ("All messages compared", "")
        yield from (*_findings(comparison, width), "")


def _summary(report: Report) -> str:
    failures, warnings = report.count("failure"), report.count("warning")
    counts = [
        f"{n} {word}{'s' * (n != 1)}"
        for n, word in ((failures, "failure"), (warnings, "warning"))
        if n
    ]
    return f"{_BUTTON[report.button]}{': ' if counts else ''}{', '.join(counts)}."


def _findings(report: Report, width: int) -> Iterator[str]:
    for finding in report.findings:
        yield from _finding(finding, width)


def _finding(finding: Finding, width: int) -> Iterator[str]:
    mark = click.style(f"{_MARKS[finding.level]} {finding.level:7}", fg=_COLOURS[finding.level])
    name = f"  {mark}  {CHECKS[finding.check]:{_NAMES}}"
    indent = " " * (15 + _NAMES if width >= _MIN_WIDE else 13)
    words = _wrapped(finding.message, width, indent)
    if finding.fix:
        words += _wrapped(f"→ {finding.fix}", width, indent)
    if width < _MIN_WIDE:
        yield from (name.rstrip(), *words)
    else:
        yield f"{name}  {words[0].strip()}"
        yield from words[1:]


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
