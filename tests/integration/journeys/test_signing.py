"""A mail through Postfix and OpenDKIM, as `docs/sending.md` sets them up, gets its button (M3).

The examples of the docs hand it over, by SMTP and to `sendmail`; a server takes what comes out.
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

Sent = Callable[[Mapping[str, str]], tuple[list[smtp.Mail], Path]]


@dataclass(frozen=True)
class Way:
    """The way of a mail: a Postfix, the port where it asks for signatures, and a server."""

    mta: postfix.Mta
    signer: int
    server: smtp.Server


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    port = processes.free_port()
    main = postfix.documented("sending.md", "main.cf", {"8891": str(port)})
    with smtp.server() as server:
        main += f"relayhost = [127.0.0.1]:{server.url.rpartition(':')[2]}\n"
        with postfix.running(main) as mta:
            yield Way(mta, port, server)


@pytest.fixture
def sent(way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Return what sends the mails of the examples, and returns them with the key.

    It makes changes to the documented configuration of OpenDKIM: a line -> what stands for it.
    """
    for name, value in way.mta.variables.items():
        monkeypatch.setenv(name, value)

    def send(changes: Mapping[str, str]) -> tuple[list[smtp.Mail], Path]:
        configuration = opendkim.documented(tmp_path, way.signer)
        for documents, tests in changes.items():
            assert configuration.count(documents) == 1, documents
            configuration = configuration.replace(documents, tests)
        way.server.mails.clear()
        with opendkim.running(tmp_path, way.signer, configuration) as key:
            examples.run("Mint", "smtplib", "Postfix", port=way.mta.port)
            smtp.wait_for_mail(way.server, 2)
        return list(way.server.mails), key

    return send


def judged(mail: smtp.Mail, key: Path) -> tuple[int, str]:
    """Return the exit status of `doctor` on a mail, and what it says."""
    command = ("doctor", "--dkim-key", str(key), "-")
    done = processes.run(
        make.environment(MAIL_FROM="service@example.org"), *command, stdin=mail.raw
    )
    return done.returncode, done.stdout.decode()


def test_a_mail_handed_over_either_way_gets_its_button(sent: Sent) -> None:
    mails, key = sent({})
    for mail in mails:
        status, says = judged(mail, key)
        assert (status, "warning" in says) == (0, False), says
        signature = "".join(str(mail.message["DKIM-Signature"]).lower().split())
        (names,) = re.findall(r";h=([^;]+);", signature)
        assert set(names.split(":")) >= {"list-unsubscribe", "list-unsubscribe-post"}


def test_a_header_that_a_later_server_adds_breaks_the_signature(sent: Sent) -> None:
    mails, key = sent({})
    theirs = b"List-Unsubscribe: <https://provider.example/leave>\r\n"
    status, says = judged(replace(mails[0], raw=theirs + mails[0].raw), key)
    assert status == 1
    assert "signature of example.org is not valid" in says


def test_either_way_the_envelope_brings_bounces_back(sent: Sent) -> None:
    mails, _ = sent({})
    assert len({mail.sender for mail in mails}) == 1
    local, _, domain = mails[0].sender.partition("@")
    assert read_mail_token(local, (make.LINK_KEY,))[:2] == ("b", make.person())
    assert domain == "in.example.org"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({SIGN: "", OVERSIGN: ""}, r"leaves out\s+list-unsubscribe-post\."),
        ({SIGN: ""}, r"signature of example.org is not valid"),
    ],
    ids=["neither", "oversigned only"],
)
def test_without_the_documented_lines_there_is_none(
    sent: Sent, changes: Mapping[str, str], says: str
) -> None:
    mails, key = sent(changes)
    status, found = judged(mails[0], key)
    assert status == 1
    assert re.search(says, found)


def test_without_a_signer_nothing_goes_out(
    way: Way, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    way.server.mails.clear()
    with pytest.raises(smtplib.SMTPResponseException, match="451"):
        examples.run("Mint", "smtplib", port=way.mta.port)
    assert way.server.mails == []
