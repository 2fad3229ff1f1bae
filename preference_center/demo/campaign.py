"""Send a mailing of the demo as a sender does: ask who may be emailed, then email them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from preference_center.core import topics
from preference_center.core.vocab import Decision
from preference_center.data.campaign_csv import CampaignFile
from preference_center.data.tabular import RefusedRow, Row
from preference_center.demo import mailings
from preference_center.demo.company import READER, TOPICS, people
from preference_center.demo.history import campaign_of
from preference_center.demo.inbox import FolderTransport, inbox_folder
from preference_center.demo.mailings import SentMailing
from preference_center.demo.wordings import STORIES
from preference_center.i18n import Languages
from preference_center.links.minter import Links
from preference_center.settings.settings import Settings
from preference_center.store import Database

DOMAIN = "northwind.example"


@dataclass(frozen=True)
class Sender:
    """The company's own program, which sends its mailings.

    Only the emails to `READER` are written, into the inbox below `folder`.
    """

    settings: Settings
    database: Database
    languages: Languages
    folder: Path

    def send(self, topic: str, now: datetime) -> SentMailing:
        """Send the next mailing of `topic` to everyone whom the audience check allows."""
        campaign = f"{now.astimezone(UTC):%Y-%m-%d-%H%M%S}"
        verdicts = self._send_to(people(), topic, campaign, now)
        sent = mailings.summarize(topic, campaign, now, verdicts, READER)
        mailings.save(self.folder, sent)
        return sent

    def send_first(self, latest: Mapping[str, datetime], now: datetime) -> None:
        """Send the reader one email of each topic, unless the inbox has one with working links.

        Links work if they lead to this server. `latest` is when each topic was last mailed, if
        the history was just made: then the email belongs to that mailing.
        """
        folder = inbox_folder(self.folder)
        folder.mkdir(exist_ok=True)
        here = f"List-Unsubscribe: <{self.settings.public_url}/".encode()
        for new in TOPICS:
            emails = folder.glob(f"{new.slug}-*.eml")
            if not any(here in path.read_bytes() for path in emails):
                at = latest.get(new.slug, now)
                self._send_to([READER], new.slug, campaign_of(at), at)

    def _send_to(
        self, emails: Sequence[str], topic: str, campaign: str, at: datetime
    ) -> list[Mapping[str, str]]:
        """Claim every email, send the reader's if it is allowed, and return all verdicts."""
        minter = self.settings.minter()
        with self.database.reading() as session:
            name = topics.name(topics.get(session, topic), topics.DEFAULT_LOCALE)
        mailing = CampaignFile(minter, topic, campaign, at.date(), name)
        rows = (Row(line, {"email": email}) for line, email in enumerate(emails, 1))
        asked = mailing.verdicts(rows, self.database, lambda: at, claim=True)
        verdicts = [each for each in asked if not isinstance(each, RefusedRow)]
        if any((each["email"], each["verdict"]) == (READER, Decision.ALLOW) for each in verdicts):
            links = minter.mint(READER, topic, campaign, day=at.date(), list_name=name)
            self._deliver(topic, name, campaign, links, at)
        return verdicts

    def _deliver(self, topic: str, name: str, campaign: str, links: Links, at: datetime) -> None:
        folder = inbox_folder(self.folder)
        before = len(list(folder.glob(f"{topic}-*.eml")))
        subject, story = STORIES[topic][before % len(STORIES[topic])]
        values = {"name": name, "links": links, "subject": f"{name}: {subject}", "story": story}
        message = compose(self.languages, f"{topic}-{campaign}", at, values)
        links.apply_to(message)
        FolderTransport(folder).send(message, f"bounces@{DOMAIN}", READER)


def compose(
    languages: Languages, name: str, at: datetime, values: Mapping[str, Any]
) -> EmailMessage:
    """Return an email of the company to the reader, without List-* headers."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Northwind Letters", addr_spec=f"letters@{DOMAIN}")
    message["To"] = READER
    message["Subject"] = values["subject"]
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{name}@{DOMAIN}>"
    text = languages.render("en", "demo/campaign.txt", **values)
    html = languages.render("en", "demo/campaign.html", **values)
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def latest_campaign(folder: Path, topic: str) -> str:
    """Return the campaign of the reader's newest email of a topic, or `demo` without one."""
    found = inbox_folder(folder).glob(f"{topic}-*.eml")
    return max((path.stem.removeprefix(f"{topic}-") for path in found), default="demo")
