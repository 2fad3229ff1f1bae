"""Test links: a press on their pages shows what it would do, and writes nothing."""

from dataclasses import dataclass
from datetime import datetime

from preference_center.core import preferences, receipts, subscribers, topics
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeResult
from preference_center.core.draft import Change
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.preferences_form import SaveResult
from preference_center.core.receipts import ShownReceipt
from preference_center.links.minter import TEST_CAMPAIGN, Link
from preference_center.store import Session
from preference_center.web.services import language, render, services


@dataclass(frozen=True)
class _Trial:
    """What a change would lead to."""

    saved: SaveResult
    receipt: ShownReceipt | None
    current: SubscriberPreferences
    locale: str
    switches_language: bool


def is_test(signed: Link) -> bool:
    """Return True if a verified link is for trying."""
    return signed.campaign == TEST_CAMPAIGN


def show(change: Change[ChangeResult | SaveResult], back_url: str) -> str:
    """Return the page that says what a change would do; it leads back to `back_url`.

    The change is made in a transaction that is rolled back. Raise what the change raises.
    """
    with services().database.transaction(dry_run=True) as session:
        trial = _tried(session, change, services().clock())
    names = {slug: topic.name for slug, topic in trial.current.topics.items()}
    return render(
        "subscriber/tried.html",
        trial.locale,
        receipt=trial.receipt,
        current=trial.current,
        requested=[names[slug] for slug in trial.saved.requested],
        refused={names[slug]: why for slug, why in trial.saved.refused.items()},
        switches_language=trial.switches_language,
        back_url=back_url,
    )


def _tried(session: Session, change: Change[ChangeResult | SaveResult], now: datetime) -> _Trial:
    before = subscribers.find(session, change.subscriber_id)
    stored = before.locale if before is not None else None
    locale = language(stored)
    made = apply_one(session, change, now)
    saved = made if isinstance(made, SaveResult) else SaveResult(made, [], {})
    rows, zone = saved.result, services().settings.time_zone
    after = subscribers.find(session, change.subscriber_id)
    shown = receipts.read(session, after, rows.first_seq, rows.last_seq, locale, now, zone)
    return _Trial(
        saved,
        shown if rows.changed else None,
        preferences.read(after, topics.list_topics(session), locale, now),
        locale,
        switches_language=after is not None and after.locale not in (stored, locale),
    )
