"""An email sent through Postfix and OpenDKIM as in `docs/sending.md` gets its button (M3).

The documented examples submit it by SMTP and to `sendmail`; a server receives the result.
"""

import re
import smtplib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from preference_center.links.mail_tokens import read_mail_token
from tests.support import examples, make, opendkim, postfix, processes, smtp

SIGN = "SignHeaders     *,+List-Unsubscribe-Post\n"
OVERSIGN = "OversignHeaders From,List-Unsubscribe,List-Unsubscribe-Post\n"

Sent = Callable[[Mapping[str, str]], tuple[list[smtp.ReceivedEmail], Path]]


@dataclass(frozen=True)
class Route:
    """The route of an email: a Postfix, the port of its signer, and the receiving server."""

    mta: postfix.Mta
    signer: int
    server: smtp.Server


@pytest.fixture(scope="module")
def route() -> Iterator[Route]:
    port = processes.free_port()
    main = postfix.documented("sending.md", "main.cf", {"8891": str(port)})
    with smtp.server() as server:
        main += f"relayhost = [127.0.0.1]:{server.url.rpartition(':')[2]}\n"
        with postfix.running(main) as mta:
            yield Route(mta, port, server)


@pytest.fixture
def sent(route: Route, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Return a function that sends the example emails, and returns them with the public key.

    Its argument maps lines of the documented configuration of OpenDKIM to replacements.
    """
    for name, value in route.mta.variables.items():
        monkeypatch.setenv(name, value)

    def send(changes: Mapping[str, str]) -> tuple[list[smtp.ReceivedEmail], Path]:
        configuration = opendkim.documented(tmp_path, route.signer)
        for line, replacement in changes.items():
            assert configuration.count(line) == 1, line
            configuration = configuration.replace(line, replacement)
        route.server.emails.clear()
        with opendkim.running(tmp_path, route.signer, configuration) as key:
            examples.run("Mint", "smtplib", "Postfix", port=route.mta.port)
            smtp.wait_for_email(route.server, 2)
        return list(route.server.emails), key

    return send


def judged(mail: smtp.ReceivedEmail, key: Path) -> tuple[int, str]:
    """Return the exit status and the output of `doctor` for an email."""
    command = ("doctor", "--dkim-key", str(key), "-")
    done = processes.run(
        make.environment(MAIL_FROM="service@example.org"), *command, stdin=mail.raw
    )
    return done.returncode, done.stdout.decode()


def test_an_email_submitted_either_way_gets_its_button(sent: Sent) -> None:
    emails, key = sent({})
    for mail in emails:
        status, says = judged(mail, key)
        assert (status, "warning" in says) == (0, False), says
        signature = "".join(str(mail.message["DKIM-Signature"]).lower().split())
        (names,) = re.findall(r";h=([^;]+);", signature)
        assert set(names.split(":")) >= {"list-unsubscribe", "list-unsubscribe-post"}


def test_a_header_added_by_a_later_server_breaks_the_signature(sent: Sent) -> None:
    emails, key = sent({})
    added = b"List-Unsubscribe: <https://provider.example/leave>\r\n"
    status, says = judged(replace(emails[0], raw=added + emails[0].raw), key)
    assert status == 1
    assert "signature of example.org is not valid" in says


def test_bounces_return_to_us_after_either_submission(sent: Sent) -> None:
    emails, _ = sent({})
    assert len({mail.sender for mail in emails}) == 1
    local, _, domain = emails[0].sender.partition("@")
    assert read_mail_token(local, (make.LINK_KEY,))[:2] == ("b", make.id_of())
    assert domain == "in.example.org"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({SIGN: "", OVERSIGN: ""}, r"does\s+not\s+cover\s+list-unsubscribe-post\."),
        ({SIGN: ""}, r"signature of example.org is not valid"),
    ],
    ids=["neither", "oversigned only"],
)
def test_there_is_no_button_without_the_documented_lines(
    sent: Sent, changes: Mapping[str, str], says: str
) -> None:
    emails, key = sent(changes)
    status, found = judged(emails[0], key)
    assert status == 1
    assert re.search(says, found)


def test_nothing_is_sent_without_a_signer(
    route: Route, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    route.server.emails.clear()
    with pytest.raises(smtplib.SMTPResponseException, match="451"):
        examples.run("Mint", "smtplib", port=route.mta.port)
    assert route.server.emails == []
