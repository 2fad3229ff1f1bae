"""Every example of `docs/api.md` and `docs/webhooks.md` works with a real server."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.support import make, processes, smtp
from tests.support.api import create_key
from tests.support.api_examples import EXAMPLES, Example
from tests.support.site import Site

PEOPLE = "email,name\nada@example.org,Ada\nbob@example.org,Bob\n"


@dataclass(frozen=True)
class Served:
    """A server, a key with all scopes, and where the examples find their files."""

    base_url: str
    key: str
    folder: Path
    smtp: smtp.Server
    ports: Iterator[int]  # Each webhook needs a URL of its own.

    def run(self, example: Example) -> str:
        port = self.smtp.url.rpartition(":")[2]
        replaced = {
            "https://mail.example.org": self.base_url,
            '"localhost", 25': f'"127.0.0.1", {port}',
            "https://hooks.example.org": f"http://127.0.0.1:{next(self.ports)}",
        }
        return example.run(replaced, self.key, self.folder)


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield a server where ada and bob subscribe to weekly-news."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "test.db").write_bytes(sqlite_template.read_bytes())
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "left.csv").write_text("email\nzoe@example.org\nnobody\n")
    url = f"sqlite:///{folder / 'test.db'}"
    site = Site(url)
    site.subscribe("ada@example.org", "bob@example.org")
    key = create_key(site)
    site.close()
    (folder / "key.txt").write_text(f"{key}\n")
    port = processes.free_port()
    settings = make.environment(
        DATABASE_URL=url,
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        SMTP_URL="smtp://localhost:9",
        MAIL_FROM="letters@example.org",
        WEBHOOK_PRIVATE_NETWORKS="127.0.0.0/8",
    )
    with smtp.server() as server, processes.serving(settings, port) as base_url:
        yield Served(base_url, key, folder, server, count(20_000))


def test_the_first_mailing_sends_what_mailbox_providers_require(served: Served) -> None:
    (mailing,) = [each for each in EXAMPLES if "smtplib" in each.text]
    already = len(served.smtp.emails)
    served.run(mailing)
    emails = served.smtp.emails[already:]
    assert [email.recipients for email in emails] == [["ada@example.org"], ["bob@example.org"]]
    served.run(mailing)  # The second run after a crash sends no email twice.
    assert len(served.smtp.emails) == already + 2
    for email in emails:
        lines = email.raw.split(b"\r\n")
        assert any(line.startswith(b"List-Unsubscribe: <http") for line in lines)
        assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
        assert max(map(len, lines)) <= 998
        assert not [line for line in lines if line.startswith(b"List-") and b"=?" in line]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_works(served: Served, example: Example) -> None:
    served.run(example)


@pytest.mark.parametrize("language", ["sh", "python", "js"])
def test_each_language_has_examples(language: str) -> None:
    assert len([each for each in EXAMPLES if each.language == language]) > 5
