"""A mailing of the demo, made as a sender makes it: ask the audience, mint links, send mail."""

from collections import Counter
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from preference_center.core import audience, topics
from preference_center.demo.company import READER, TOPICS, people
from preference_center.i18n import Languages
from preference_center.links import Links
from preference_center.mail.transport import FolderTransport
from preference_center.settings import Settings
from preference_center.store import Database

_SUBJECTS = {
    "weekly-news": "Weekly news: the harbour is open again",
    "product-news": "Product news: letters that write themselves",
}
_STORIES = {
    "weekly-news": "the harbour is open again, the bakery on the corner has a new oven, and on "
    "Friday there is music in the square.",
    "product-news": "our letters now begin themselves: choose a template, add two lines of your "
    "own, and look it over before it goes.",
}


def send(
    settings: Settings, database: Database, languages: Languages, topic: str, now: datetime
) -> Counter[str]:
    """Send the next mailing of `topic` to whom the audience allows; count verdicts and reasons.

    Of some two hundred mails only the reader's own is kept: that is the inbox the demo shows.
    """
    addresses = {settings.minter().fingerprint(email): email for email in people()}
    with database.transaction() as session:
        found = topics.get(session, topic)
        verdicts = audience.check(session, found, addresses, now)
        name = topics.name(found, topics.DEFAULT_LOCALE)
    counts = Counter(verdict.reason or "allow" for verdict in verdicts.values())
    reader = settings.minter().fingerprint(READER)
    if verdicts[reader].verdict == "allow":
        campaign = f"{now:%Y-%m-%d-%H%M%S}"
        links = settings.minter().mint(reader, topic, campaign, day=now.date(), list_name=name)
        message = _message(languages, topic, name, links, now)
        outgoing = FolderTransport(mail_folder(settings))
        outgoing.send(message, "bounces@northwind.example", READER)
    return counts


def send_first(settings: Settings, database: Database, languages: Languages, now: datetime) -> None:
    """Send one mailing of each topic where no mail in the inbox leads to this server."""
    folder = mail_folder(settings)
    folder.mkdir(exist_ok=True)
    here = f"List-Unsubscribe: <{settings.public_url}/".encode()
    if not any(here in path.read_bytes() for path in folder.glob("*.eml")):
        for new in TOPICS:
            send(settings, database, languages, new.slug, now)


def mail_folder(settings: Settings) -> Path:
    """Return the folder of the reader's mail."""
    if settings.demo_folder is None:
        raise ValueError("there is an inbox in the demo alone")
    return settings.demo_folder / "mail"


def _message(
    languages: Languages, topic: str, name: str, links: Links, now: datetime
) -> EmailMessage:
    values = {"name": name, "links": links, "subject": _SUBJECTS[topic], "story": _STORIES[topic]}
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Northwind Letters", addr_spec="letters@northwind.example")
    message["To"] = READER
    message["Subject"] = _SUBJECTS[topic]
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{topic}-{now:%Y%m%d%H%M%S}@northwind.example>"
    links.apply_to(message)
    text = languages.render("en", "demo/campaign.txt", **values)
    html = languages.render("en", "demo/campaign.html", **values)
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message
