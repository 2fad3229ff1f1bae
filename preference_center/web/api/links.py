"""`POST /links`: the links and headers of the emails of one mailing.

`POST /links/signed-in`: a link for one customer who is signed in at the sender's site.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from preference_center.core import topics
from preference_center.core.api_vocab import ApiScope
from preference_center.core.vocab import KeyKind
from preference_center.links.minter import TEST_CAMPAIGN, Links, Minter
from preference_center.links.server import (
    OWN_CAMPAIGNS,
    SIGNED_IN_LIFETIME,
    SignedIn,
    write_signed_in,
)
from preference_center.web.api import test_keys
from preference_center.web.api.models import (
    Campaign,
    Email,
    LanguageTag,
    Model,
    Slug,
    SubscriberId,
)
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses
from preference_center.web.services import Services

MAX_RECIPIENTS = 1000

routes = Routes()

_ONE_OF_THEM: dict[str, Any] = {
    "oneOf": [
        {"required": [name], "properties": {name: {"type": "string"}, other: {"type": "null"}}}
        for name, other in (("email", "id"), ("id", "email"))
    ]
}


class Recipient(Model):
    """A recipient, by address or by subscriber id."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF_THEM)

    email: Email | None = None
    id: SubscriberId | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.email is None) == (self.id is None):
            raise ValueError("Give either email or id.")
        return self

    def subscriber_id(self, minter: Minter) -> UUID:
        """Return the recipient's subscriber id."""
        return self.id or minter.subscriber_id(self.email or "")


class SignedInRequest(Recipient):
    """A customer who is signed in at the sender's site, and the language of the page."""

    language: Annotated[
        LanguageTag | None,
        Field(description="The language of the page. By default the customer's or the browser's."),
    ] = None


class SignedInAnswer(Model):
    """A link to the customer's preferences. It is theirs alone."""

    url: str
    expires_at: datetime


class LinksRequest(Model):
    """The topic and the campaign of a mailing, and its recipients."""

    topic: Slug
    campaign: Campaign
    recipients: Annotated[list[Recipient], Field(min_length=1, max_length=MAX_RECIPIENTS)]


class RecipientLinks(Model):
    """The links and header values of one recipient's email; they are personal."""

    id: SubscriberId
    unsubscribe_url: str
    preferences_url: str
    list_unsubscribe: str
    list_unsubscribe_post: str
    list_id: str
    feedback_id: str
    event_token: str
    return_path: str

    @classmethod
    def of(cls, links: Links) -> Self:
        """Return the model of minted links."""
        return cls(**links._asdict())


class LinksAnswer(Model):
    """The links of each recipient, in the order of the request."""

    links: list[RecipientLinks]


@routes.add(
    "POST",
    "/links",
    ApiScope.LINKS,
    Uses.READING,
    problems=(ProblemKind.UNKNOWN_TOPIC, ProblemKind.TEST_KEY),
)
def mint_links(call: Call, body: LinksRequest) -> LinksAnswer:
    """Return the links and headers of up to 1,000 recipients.

    Put them into the email of that recipient only. Whether a recipient may be emailed is a
    question for `/audience`, which returns the same links. The links of the campaign `test` can be
    tried: they change nothing.
    """
    _require_reserved(call, body.recipients)
    if body.campaign in OWN_CAMPAIGNS - {TEST_CAMPAIGN}:
        raise Problem(ProblemKind.INVALID_REQUEST, "This campaign name is reserved.")
    topic = topics.get(call.session, body.topic)
    name, minter = topics.name(topic, topics.DEFAULT_LOCALE), minter_of(call.app)
    return LinksAnswer(
        links=[
            RecipientLinks.of(
                minter.mint(
                    each.subscriber_id(minter),
                    body.topic,
                    body.campaign,
                    day=call.now.date(),
                    list_name=name,
                )
            )
            for each in body.recipients
        ]
    )


@routes.add(
    "POST",
    "/links/signed-in",
    ApiScope.SIGNED_IN_LINKS,
    Uses.READING,
    problems=(ProblemKind.TEST_KEY,),
)
def mint_signed_in_link(call: Call, body: SignedInRequest) -> SignedInAnswer:
    """Return a link to the preferences of a customer who is signed in at your site.

    Ask for it when the customer opens it, and redirect them to it. For 15 minutes it starts topics
    without a confirmation email, and lifts what the customer has unsubscribed from themselves.
    """
    _require_reserved(call, [body])
    app, now = call.app, call.now.replace(microsecond=0)
    signed_in = SignedIn(now.date(), body.subscriber_id(minter_of(app)), now + SIGNED_IN_LIFETIME)
    link = write_signed_in(signed_in, app.database.signing_keys[KeyKind.SERVER])
    wanted = body.language or ""
    chosen = app.languages.choose(wanted)
    query = f"?lang={chosen}" if chosen in (wanted, wanted.partition("-")[0]) else ""
    return SignedInAnswer(
        url=f"{app.settings.public_url}/p/{link}{query}", expires_at=signed_in.expires_at
    )


def _require_reserved(call: Call, recipients: Sequence[Recipient]) -> None:
    """Raise Problem if a test key names a recipient who is not reserved."""
    if not test_keys.is_test(call):
        return
    for each in recipients:
        if each.email is not None:
            test_keys.identify(call, each.email)
    test_keys.require_reserved_ids(call, [each.id for each in recipients if each.id is not None])


def minter_of(app: Services) -> Minter:
    """Return the minter that signs with the keys of the database."""
    keys = app.database.signing_keys[KeyKind.LINK]
    return replace(app.settings, link_keys=keys).minter()
