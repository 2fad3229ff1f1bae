"""The demo's company: its settings and keys, its topics, and some two hundred readers."""

import json
import random
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from preference_center.core import consent, subscribers, topics
from preference_center.core.topics import NewTopic
from preference_center.settings import Settings
from preference_center.store import Database

READER = "ada@example.org"
TOPICS = (
    NewTopic("weekly-news", "Weekly news", "What happened this week, every Friday."),
    NewTopic("product-news", "Product news", "New things we have built, about once a month."),
)
_PEOPLE = 200
_FIRST = ("ada", "ben", "cleo", "dana", "emil", "fatima", "goran", "hana", "ines", "jonas", "kim")
_LAST = ("adler", "brook", "costa", "diaz", "ebert", "frank", "greco", "holm", "ito", "kaya")
_WORDING = "Yes, send me {}. I can leave at any time."


def settings_in(folder: Path, port: int) -> Settings:
    """Return settings for `folder`, whose keys are made once and kept beside the database."""
    keys = _keys(folder / "keys.json")
    return Settings(
        public_url=f"http://localhost:{port}",
        link_keys=(keys["link"],),
        identity_key=keys["identity"],
        database_url=f"sqlite:///{folder / 'preferences.db'}",
        server_keys=(keys["server"],),
        secret_key=keys["secret"],
        smtp_url="smtp://a-folder-takes-the-mail",
        mail_from="preferences@northwind.example",
        brand_name="Northwind Letters",
        postal_address="1 Example Street, 1000 Exampletown",
        contact="help@northwind.example",
        confirmation_quiet=timedelta(seconds=5),
        demo_folder=folder,
    )


def people() -> list[str]:
    """Return the readers' addresses, the same at every start; the inbox belongs to the first."""
    # A fixed seed makes a believable list, not a secret one.
    chance = random.Random(2026)  # noqa: S311
    found = {READER: None}
    while len(found) < _PEOPLE:
        name = f"{chance.choice(_FIRST)}.{chance.choice(_LAST)}{chance.randrange(1, 90)}"
        found[f"{name}@example.{chance.choice(['org', 'net', 'com'])}"] = None
    return list(found)


def fill(database: Database, settings: Settings, now: datetime) -> None:
    """Add the topics and the readers, unless they are there already."""
    with database.transaction() as session:
        if topics.everything(session):
            return
        for new in TOPICS:
            topics.add(session, new, now)
        _subscribe_everybody(session, settings, now)


def _subscribe_everybody(session: Session, settings: Settings, now: datetime) -> None:
    chance = random.Random(2027)  # noqa: S311
    addresses = {settings.minter().fingerprint(email): email for email in people()}
    subscribers.fill_addresses(session, addresses, now)
    known = {topic.slug: topic for topic in topics.everything(session)}
    for subscriber_id, person in subscribers.lock_all(session, addresses, now).items():
        everything = addresses[subscriber_id] == READER
        for new in TOPICS if everything else TOPICS[: chance.randint(1, 2)]:
            joined = now - timedelta(days=chance.randrange(40, 1200))
            wording = _WORDING.format(new.name)
            act = consent.Act("import", joined, now, wording=wording)
            subscription = consent.new_subscription(person, new.slug, "subscribed", act)
            subscription.consent_at, subscription.consent_source = joined, "sign-up form"
            consent.record_subscription(session, person, known[new.slug], subscription, act)


def _keys(path: Path) -> dict[str, str]:
    if not path.exists():
        names = ("link", "server", "identity", "secret")
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: secrets.token_urlsafe(32) for name in names}))
    keys: dict[str, str] = json.loads(path.read_text())
    return keys
