"""An inbound message, what is on record about it, and the changes that a report asks for."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import subscribers, topics
from preference_center.core.bounces import Bounce, RecordBounce
from preference_center.core.change import ALL, ChangeContext, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import Source
from preference_center.inbound import tokens
from preference_center.inbound.tokens import MailToken
from preference_center.links.addresses import normalise
from preference_center.mail.dsn import Failure
from preference_center.mail.incoming import Incoming


@dataclass(frozen=True)
class Message:
    """A message that was read, and the tokens in it.

    `tokens` are those of the recipients, or of the email that a complaint is about. `trusted` is
    True for a complaint that a listed reporter has signed.
    """

    raw: bytes
    recipients: Sequence[str]
    incoming: Incoming
    tokens: Sequence[MailToken]
    trusted: bool

    @cached_property
    def name(self) -> str:
        """Return the deduplication key of a delivery."""
        return "\n".join((hashlib.sha256(self.raw).hexdigest(), *sorted(self.recipients)))


@dataclass(frozen=True)
class Known:
    """What is on record about the tokens of some messages.

    `topics` are slugs by code, `emails` the addresses of subscribers.
    """

    topics: Mapping[bytes, str]
    emails: Mapping[UUID, str | None]

    def topic(self, token: MailToken) -> str | None:
        """Return the slug of a token's topic, or None if there is no such topic."""
        return self.topics.get(token.code) if token.code is not None else token.topic


def tokens_of_complaint(incoming: Incoming, keys: Sequence[str]) -> list[MailToken]:
    """Return the tokens of the email that a complaint is about."""
    complaint, original = incoming.complaint, incoming.original
    if complaint is None:
        return []
    named = [complaint.mail_from, *complaint.feedback_ids]
    if original is not None:
        named += [original.return_path, *original.feedback_ids]
    uris = original.list_unsubscribe if original is not None else ()
    return [*tokens.in_addresses(filter(None, named), keys), *tokens.in_links(uris, keys)]


def load_known(session: Session, messages: Iterable[Message]) -> Known:
    """Load the topics of the tokens, and the addresses of the subscribers whose email bounced."""
    found = [(token, each.incoming) for each in messages for token in each.tokens]
    codes = {token.code for token, _ in found if token.code is not None}
    bounced = {token.subscriber_id for token, incoming in found if incoming.failures}
    return Known(topics.slugs_of(session, codes), subscribers.emails(session, bounced))


def complaints(message: Message, known: Known, now: datetime) -> Iterator[Unsubscribe]:
    """Yield the unsubscribes of a complaint, which send no email.

    They end all topics if a listed reporter has signed the complaint, otherwise its topic.
    """
    context = ChangeContext(Source.COMPLAINT, now, now)
    ended = {
        (token.subscriber_id, ALL if message.trusted else Target.of(known.topic(token)))
        for token in message.tokens
    }
    for subscriber_id, target in sorted(ended, key=str):
        yield Unsubscribe(subscriber_id, target, context)


def bounces(
    token: MailToken, known: Known, incoming: Incoming, now: datetime
) -> Iterator[RecordBounce]:
    """Yield what a report says about the subscriber that its return path names."""
    email, topic = known.emails.get(token.subscriber_id), known.topic(token)
    for failure in incoming.failures:
        severity = _severity_for(email, failure)
        bounce = Bounce(severity, failure.code, now, "return-path", topic=topic)
        yield RecordBounce(token.subscriber_id, bounce, now)


def _severity_for(email: str | None, failure: Failure) -> BounceSeverity:
    """Return what a failed recipient means for the subscriber with this address (None: unknown).

    An alias or a list behind the address may lead to mailboxes that are not the subscriber's. The
    failure of such a mailbox is ignored if another one was reached, and at most soft otherwise. A
    plain forwarder names the subscriber as the original recipient: then the failure counts in full.
    """
    if email is None or not failure.recipient:
        return failure.severity
    ours = normalise(email)
    if normalise(failure.final_recipient or failure.recipient) == ours:
        return failure.severity
    if failure.another_reached:
        return BounceSeverity.IGNORED
    counts = normalise(failure.recipient) == ours or failure.severity is BounceSeverity.IGNORED
    return failure.severity if counts else BounceSeverity.SOFT
