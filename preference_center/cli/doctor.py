"""`doctor`: will a received mail get its one-click button? In words, or as JSON."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import BinaryIO

import click

from preference_center.cli.common import opened_output, settings_or_exit
from preference_center.doctor import keys as doctor_keys
from preference_center.doctor.judge import MessageReport, compare, judge, try_link
from preference_center.doctor.message import MAX_MESSAGE_BYTES
from preference_center.doctor.our_link import Installation
from preference_center.doctor.report import CHECKS, Finding, Report, shown, verdict
from preference_center.settings.env import PREFIX, Reader

_MARKS = {"pass": "✓", "note": "·", "warning": "!", "failure": "✗"}
_COLOURS = {"pass": "green", "note": None, "warning": "yellow", "failure": "red"}
_BUTTON = {
    True: "Button: yes. A mailbox provider would show it, as far as the mail decides that",
    False: "Button: no. A mailbox provider would show none, or one that does not work",
    None: "Button: not known. Something that it depends on could not be checked",
}
_NAMES = max(map(len, CHECKS.values()))
_NARROW = 70  # columns; below that a finding's words go under its name


@click.command()
@click.argument("messages", nargs=-1, required=True, metavar="MESSAGE...")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")
@click.option(
    "--dkim-key",
    metavar="FILE",
    help="A public key (PEM or DKIM record) for all signatures, in place of the DNS.",
)
@click.option("--probe", is_flag=True, help="Open the link with GET and HEAD.")
@click.option(
    "--probe-post",
    is_flag=True,
    help="Also post to it as a mailbox does. This unsubscribes the person the mail was for.",
)
def doctor(
    messages: tuple[str, ...], as_json: bool, dkim_key: str | None, probe: bool, probe_post: bool
) -> None:
    """Tell whether a received mail gets its Unsubscribe button.

    MESSAGE is a file as a mailbox saves it, headers and all; - is standard input. Of several, the
    topics are compared too. Settings are not needed; PUBLIC_URL, LINK_KEYS and MAIL_FROM are used
    where they are set. Exit status: 0 if each gets a button, 1 if not or if that stays open, 2 if
    a file cannot be read.
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
    """Return those settings that are there, or raise SettingsError for those that are unusable."""
    reader = Reader(environ)
    given = {name for name in ("PUBLIC_URL", "LINK_KEYS") if environ.get(PREFIX + name)}
    ours = Installation(
        public_url=reader.public_url("PUBLIC_URL") if "PUBLIC_URL" in given else "",
        link_keys=reader.keys("LINK_KEYS") if "LINK_KEYS" in given else (),
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
    """Return a file's bytes, or enough of them to see that they are too many."""
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
        yield from ("All of them together", "")
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
    indent = " " * (15 + _NAMES if width >= _NARROW else 13)
    words = _wrapped(finding.says, width, indent)
    if finding.do:
        words += _wrapped(f"→ {finding.do}", width, indent)
    if width < _NARROW:
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
