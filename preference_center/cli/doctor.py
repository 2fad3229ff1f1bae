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
from preference_center.doctor import keys as doctor_keys
from preference_center.doctor.judge import MessageReport, compare, judge, try_link
from preference_center.doctor.message import MAX_MESSAGE_BYTES
from preference_center.doctor.our_link import Installation
from preference_center.doctor.report import CHECKS, Finding, Report, shown, verdict
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
    ours = settings_or_exit(read_ours)
    keys = doctor_keys.DnsKeys() if dkim_key is None else _key_in(dkim_key)
    judged = {name: judge(_read(name), ours, keys) for name in dict.fromkeys(messages)}
    if probe or probe_post:
        for each in judged.values():
            try_link(each, ours, post=probe_post)
    together = compare(judged.values())
    with opened_output("-") as file:
        if as_json:
            file.write(_json(judged, together))
        else:
            for line in _lines(judged, together, shutil.get_terminal_size().columns):
                click.echo(line, file=file)
    if verdict(each.report for each in judged.values()) is not True:
        sys.exit(1)


def read_ours(environ: Mapping[str, str]) -> Installation:
    """Return the settings that are set, or raise SettingsError if one is invalid."""
    reader = SettingsReader(environ)
    ours = Installation(
        public_url=reader.public_url("PUBLIC_URL", required=False),
        link_keys=reader.keys("LINK_KEYS", required=False),
        mail_from=reader.address("MAIL_FROM"),
    )
    reader.finish()
    return ours


def _key_in(file: str) -> doctor_keys.StaticKey:
    try:
        return doctor_keys.read_key(_read(file))
    except doctor_keys.NoKeyFileError as error:
        raise click.BadParameter(f"{shown(file)}: {error}.", param_hint="--dkim-key") from error


def _read(name: str) -> bytes:
    """Return the content of a file, cut off one byte above the limit."""
    if name == "-":
        return _start_of(sys.stdin.buffer)
    with Path(name).open("rb") as file:
        return _start_of(file)


def _start_of(file: BinaryIO) -> bytes:
    return file.read(MAX_MESSAGE_BYTES + 1)


def _json(judged: Mapping[str, MessageReport], together: Report) -> str:
    told = {
        "button": verdict(each.report for each in judged.values()),
        "messages": [
            {
                "file": shown(name, len(name)),
                "button": each.report.button,
                "findings": list(map(asdict, each.report.findings)),
            }
            for name, each in judged.items()
        ],
        "together": list(map(asdict, together.findings)),
    }
    return json.dumps(told, indent=2) + "\n"


def _lines(judged: Mapping[str, MessageReport], together: Report, width: int) -> Iterator[str]:
    for name, each in judged.items():
        yield from (shown(name, len(name)), "")
        yield from _findings(each.report, width)
        yield from ("", f"  {_summary(each.report)}", "")
    if together.findings:
        yield from ("All messages together", "")
        yield from (*_findings(together, width), "")


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
    words = _wrapped(finding.says, width, indent)
    if finding.do:
        words += _wrapped(f"→ {finding.do}", width, indent)
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
