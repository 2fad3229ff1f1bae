"""An installation with a console, and something to see on each of its pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page
from sqlalchemy.orm import Session

from preference_center.core import audience, reasons, topics
from preference_center.core.apply import apply
from preference_center.core.change import ChangeContext, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import ReasonCode, Source
from preference_center.store import Database
from tests.support import make, processes
from tests.support.console import SECRET_KEY
from tests.support.foreign_files import zipped

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
NOW = datetime.now(UTC).replace(microsecond=0)  # A real server uses the real time.
DAY = timedelta(days=1)
READERS = 400
CLEO, ERASED = "cleo@example.org", "erased@example.org"  # Cleo gets weekly news once a week.
CAMPAIGN = "autumn-fair"  # The one that cost most readers, because there were too many emails.
WORDING = "Send me Weekly news. I can leave at any time."
_HEADER = "email,topic,status,frequency,consent_at,consent_source,consent_wording"
_MEMBER = "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,LEID,EUID"
MAILCHIMP = zipped(
    **{
        "subscribed_members_export_1.csv": f"{_MEMBER}\n"
        "new@example.org,New,2,2024-01-02 10:00:00,1,a\n",
        "unsubscribed_members_export_1.csv": f"{_MEMBER},UNSUB_TIME\n"
        "gone@example.org,Gone,2,2024-01-02 10:00:00,2,b,2025-03-04 10:00:00\n",
    }
)


@dataclass(frozen=True)
class Installation:
    """A server at `localhost`, whose passkeys are created for that host, and its database."""

    settings: dict[str, str]
    base: str
    database: Database

    def invitation(self, *options: str) -> str:
        invited = processes.run(self.settings, "staff", "invite", "ada@example.org", *options)
        assert invited.returncode == 0, invited.stderr
        return invited.stdout.decode().strip()


@contextmanager
def installed(folder: Path, template: Path, **more: str) -> Iterator[Installation]:
    """Yield an installation on a copy of an empty database, with `more` settings."""
    path, port = folder / "console.db", processes.free_port()
    path.write_bytes(template.read_bytes())
    base, url = f"http://localhost:{port}", f"sqlite:///{path}"
    settings = make.environment(
        DATABASE_URL=url,
        PUBLIC_URL=base,
        SECRET_KEY=SECRET_KEY,
        LANGUAGES="en,de",
        **more,
    )
    database = make.database(url)
    try:
        with processes.serving(settings, port):
            yield Installation(settings, base, database)
    finally:
        database.close()


def add_authenticator(page: Page) -> None:
    """Give the browser of a page an authenticator, which has no passkey yet."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


def make_passkey(installation: Installation, page: Page, link: str) -> None:
    """Sign in with a new passkey, by the link of an invitation."""
    page.goto(link)
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url(f"{installation.base}/console/")


def fill(installation: Installation, folder: Path) -> None:
    """Add readers of two topics, and two campaigns that some of them have left by."""
    with installation.database.transaction() as session:
        for slug, name in (("weekly-news", "Weekly news"), ("product-news", "Product news")):
            make.topic(session, slug, name=name)
    file = folder / "readers.csv"
    file.write_text("\n".join((_HEADER, *_rows())))
    imported = processes.run(installation.settings, "import", str(file))
    assert imported.returncode == 0, imported.stderr
    with installation.database.transaction() as session:
        _send(session, "summer", [ReasonCode.NOT_RELEVANT])
        _send(session, CAMPAIGN, [ReasonCode.TOO_MANY] * 7 + [ReasonCode.NOT_RELEVANT])


def _rows() -> Iterator[str]:
    consent = f"2024-05-06T10:00:00Z,sign-up form,{WORDING}"
    for email in (CLEO, *(f"reader{number}@example.org" for number in range(READERS))):
        yield f"{email},weekly-news,subscribed,{'weekly' if email == CLEO else 'every'},{consent}"
    yield f"{ERASED},product-news,subscribed,every,{consent}"


def _send(session: Session, campaign: str, answers: list[ReasonCode]) -> None:
    """Claim the emails of a campaign; one reader leaves for each answer, and gives it."""
    readers = (f"reader{number}@example.org" for number in range(READERS))
    ids = list(map(make.id_of, (CLEO, *readers)))
    at = datetime.now(UTC) - (0 if campaign == CAMPAIGN else 20) * DAY
    verdicts = audience.claim(session, topics.get(session, "weekly-news"), campaign, ids, at)
    leaving = [each for each in ids[1:] if verdicts[each].allows][: len(answers)]
    context = ChangeContext(Source.ONE_CLICK, at, at, campaign=campaign)
    changes = [Unsubscribe(each, Target.of("weekly-news"), context) for each in leaving]
    done = apply(session, changes, at)
    for subscriber_id, code, result in zip(leaving, answers, done, strict=True):
        reasons.record(session, subscriber_id, result.last_seq, code, "Too loud", at)
