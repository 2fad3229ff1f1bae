"""Helpers of tests about sign-ups."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from preference_center.core import sign_up_requests, sign_ups
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeResult
from preference_center.core.sign_up_requests import NewSignUp, Requester
from preference_center.core.sign_ups import ConfirmSignUp, SignUp
from preference_center.links.server import SIGN_UP_CAMPAIGN, SignUpLink, write_sign_up
from tests.support import make

FORM_URL = "https://www.example.org/news"


def request(
    session: Session,
    email: str = "ada@example.org",
    *slugs: str,
    at: datetime = make.NOW,
    mailbox: UUID | None = None,
    **changes: Any,
) -> SignUp:
    """Ask for topics, from a mailbox that has asked for nothing yet unless one is given."""
    form = NewSignUp(email, slugs or ("weekly-news",), FORM_URL, **changes)
    who = Requester(make.id_of(email), mailbox or uuid4())
    sign_up_requests.request(session, who, form, at)
    session.flush()
    found = sign_ups.newest(session, who.subscriber_id, at, at)
    assert found is not None
    return found


def press(session: Session, sign_up: SignUp, at: datetime = make.NOW) -> ChangeResult:
    """Press the button on the page of a sign-up's link."""
    context = make.context(at=at, campaign=SIGN_UP_CAMPAIGN, wording="Yes, send me these emails")
    return apply_one(session, ConfirmSignUp(sign_up.subscriber_id, sign_up, context), at)


def path_of(sign_up: SignUp) -> str:
    """Return the path of a sign-up's link."""
    return link_of(sign_up.subscriber_id, sign_up.id)


def link_of(subscriber_id: UUID, sign_up_id: UUID) -> str:
    """Return the path of a link of a sign-up, which need not be on record."""
    signed = SignUpLink(make.NOW.date(), subscriber_id, sign_up_id)
    return f"/c/{write_sign_up(signed, [make.SERVER_KEY])}"
