"""A mailing of the demo, made as a sender makes it: ask who may be mailed, then mail them."""

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
from preference_center.data.campaign_csv import CampaignFile
from preference_center.data.tabular import RefusedRow, Row
from preference_center.demo import mailings
from preference_center.demo.company import READER, TOPICS, people
from preference_center.demo.history import campaign_of
from preference_center.demo.mailings import Mailed
from preference_center.demo.wordings import MAILS
from preference_center.i18n import Languages
from preference_center.links.minter import Links
from preference_center.outbound.transport import FolderTransport
from preference_center.settings.settings import Settings
from preference_center.store import Database


@dataclass(frozen=True)
class Sender:
    """The company's own program, which sends its mailings.

    Of some thousands of mails only the reader's is kept: that is the inbox the demo shows.
    """

    settings: Settings
    database: Database
    languages: Languages

    def send(self, topic: str, now: datetime) -> Mailed:
        """Send the next mailing of `topic` to whom the audience allows; return what it came to."""
        campaign = f"{now.astimezone(UTC):%Y-%m-%d-%H%M%S}"
        verdicts = self._send_to(people(), topic, campaign, now)
        mailed = mailings.summed(topic, campaign, now, verdicts, READER)
        mailings.note(demo_folder(self.settings), mailed)
        return mailed

    def send_first(self, latest: Mapping[str, datetime], now: datetime) -> None:
        """Give the reader a mail of each topic of which none in the inbox leads to this server.

        It is that of the `latest` mailing where the half-year was made just now.
        """
        folder = mail_folder(self.settings)
        folder.mkdir(exist_ok=True)
        here = f"List-Unsubscribe: <{self.settings.public_url}/".encode()
        for new in TOPICS:
            mails = folder.glob(f"{new.slug}-*.eml")
            if not any(here in path.read_bytes() for path in mails):
                at = latest.get(new.slug, now)
                self._send_to([READER], new.slug, campaign_of(at), at)

    def _send_to(
        self, emails: Sequence[str], topic: str, campaign: str, at: datetime
    ) -> list[Mapping[str, str]]:
        """Claim, mail the reader if that is allowed, and return each person's verdict."""
        minter = self.settings.minter()
        with self.database.reading() as session:
            name = topics.name(topics.get(session, topic), topics.DEFAULT_LOCALE)
        mailing = CampaignFile(minter, topic, campaign, at.date(), name)
        rows = (Row(line, {"email": email}) for line, email in enumerate(emails, 1))
        asked = mailing.verdicts(rows, self.database, lambda: at, claim=True)
        verdicts = [each for each in asked if not isinstance(each, RefusedRow)]
        if any((each["email"], each["verdict"]) == (READER, "allow") for each in verdicts):
            links = minter.mint(READER, topic, campaign, day=at.date(), list_name=name)
            self._deliver(topic, name, campaign, links, at)
        return verdicts

    def _deliver(self, topic: str, name: str, campaign: str, links: Links, at: datetime) -> None:
        folder = mail_folder(self.settings)
        before = len(list(folder.glob(f"{topic}-*.eml")))
        subject, story = MAILS[topic][before % len(MAILS[topic])]
        values = {"name": name, "links": links, "subject": f"{name}: {subject}", "story": story}
        message = self._message(f"{topic}-{campaign}", at, values)
        links.apply_to(message)
        FolderTransport(folder).send(message, "bounces@northwind.example", READER)

    def _message(self, name: str, at: datetime, values: Mapping[str, Any]) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = Address("Northwind Letters", addr_spec="letters@northwind.example")
        message["To"] = READER
        message["Subject"] = values["subject"]
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{name}@northwind.example>"
        text = self.languages.render("en", "demo/campaign.txt", **values)
        html = self.languages.render("en", "demo/campaign.html", **values)
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        return message


def latest_campaign(settings: Settings, topic: str) -> str:
    """Return the campaign of the reader's newest mail of a topic; `demo` where there is none."""
    found = mail_folder(settings).glob(f"{topic}-*.eml")
    return max((path.stem.removeprefix(f"{topic}-") for path in found), default="demo")


def demo_folder(settings: Settings) -> Path:
    """Return the folder in which everything lies."""
    if settings.demo_folder is None:
        raise ValueError("there is a folder in the demo alone")
    return settings.demo_folder


def mail_folder(settings: Settings) -> Path:
    """Return the folder of the reader's mail."""
    return demo_folder(settings) / "mail"
