"""`POST /sign-ups`: what `/sign-up` does, for the sign-up form of a program."""

from typing import Annotated

from pydantic import Field

from preference_center.core import request_limits, sign_up_requests, sign_ups, topics
from preference_center.core.api_vocab import ApiScope
from preference_center.core.errors import UnknownTopicError
from preference_center.core.sign_up_requests import Requester
from preference_center.links.addresses import is_mailable
from preference_center.web.api import test_keys
from preference_center.web.api.models import (
    Email,
    FilledLine,
    FilledText,
    LanguageTag,
    Model,
    Slug,
)
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses

MAX_TOPICS = 100

routes = Routes()


class NewSignUpBody(Model):
    """An address, and what its owner is asked to confirm."""

    email: Email
    topics: Annotated[
        list[Slug],
        Field(min_length=1, max_length=MAX_TOPICS, description="The topics that were chosen."),
    ]
    wording: Annotated[
        FilledText,
        Field(
            description="What the form said. It is not erased with the subscriber: put no personal "
            "data into it.",
            examples=["Send me the weekly news. I can unsubscribe at any time."],
        ),
    ]
    form_url: Annotated[
        FilledLine,
        Field(
            description="The address of the page with the form.",
            examples=["https://www.example.org/newsletter"],
        ),
    ]
    language: Annotated[
        LanguageTag | None,
        Field(description="The language of the page, in which the email is written if it can be."),
    ] = None


@routes.add(
    "POST",
    "/sign-ups",
    ApiScope.SIGN_UPS,
    Uses.WRITING,
    status=204,
    problems=(ProblemKind.UNKNOWN_TOPIC, ProblemKind.CONFLICT, ProblemKind.TEST_KEY),
)
def sign_up(call: Call, body: NewSignUpBody) -> None:
    """Email a link that starts topics when its owner opens it and presses the button.

    The answer is the same for every address: also if none is sent, because email to it was stopped
    or it has had three such emails within a day. Nothing is recorded about a subscriber before
    the press. A test key sends nothing.
    """
    app = call.app
    if app.settings.smtp_url is None:
        raise Problem(ProblemKind.NOT_FOUND, "This installation sends no email.")
    subscriber_id, email = test_keys.identify(call, body.email)
    if not is_mailable(email):
        fault = {"pointer": "/email", "detail": "Email cannot be sent to it."}
        raise Problem(ProblemKind.CONFLICT, "The address is not usable.", errors=[fault])
    known = {each.slug for each in sign_ups.offered(topics.list_topics(call.session))}
    if not known.issuperset(body.topics):
        raise UnknownTopicError("a topic does not exist, is archived or is not public")
    if test_keys.is_test(call):
        return
    mailbox = request_limits.mailbox_of(email, app.settings.identity_key)
    wanted = body.language or ""
    locale = app.languages.choose(wanted)
    chosen = locale if locale in (wanted, wanted.partition("-")[0]) else None
    form = sign_up_requests.NewSignUp(
        email, list(dict.fromkeys(body.topics)), body.form_url, body.wording, chosen
    )
    sign_up_requests.request(call.session, Requester(subscriber_id, mailbox), form, call.now)
