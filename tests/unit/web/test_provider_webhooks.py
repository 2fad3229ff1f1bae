"""`/hooks/<provider>`: what a provider proves is done, once; nobody else changes a thing (M13)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from werkzeug.test import TestResponse

from preference_center.core import bounces, dedup, subscribers, topics
from preference_center.core.vocab import Scope
from preference_center.store import UnavailableError
from preference_center.store.tables import FailedMailing, InboundCount, LedgerRow, QuarantineRow
from tests.support import make, samples, webhooks
from tests.support.site import Site, lose_database
from tests.support.web_fixtures import SiteMaker
from tests.support.webhooks import Amazon, Request

SECRETS = {
    "ses_sns_topic_arns": (webhooks.TOPIC,),
    "sendgrid_webhook_public_key": webhooks.SENDGRID_WEBHOOK_PUBLIC_KEY,
    "postmark_webhook_credentials": webhooks.POSTMARK,
    "mailgun_webhook_signing_key": webhooks.MAILGUN_WEBHOOK_SIGNING_KEY,
}
GONE: dict[str, Request] = {
    "ses": webhooks.ses(samples.ses_bounce()),
    "sendgrid": webhooks.sendgrid(samples.sendgrid("bounce", reason=samples.GONE)),
    "postmark": webhooks.postmark(samples.postmark("Bounce", Type="HardBounce")),
    "mailgun": webhooks.mailgun(samples.mailgun("failed", severity="permanent")),
}
COMPLAINT: dict[str, Request] = {
    "ses": webhooks.ses(samples.ses_complaint()),
    "sendgrid": webhooks.sendgrid(samples.sendgrid("spamreport")),
    "postmark": webhooks.postmark(samples.postmark("SpamComplaint")),
    "mailgun": webhooks.mailgun(samples.mailgun("complained")),
}
UNSUBSCRIBE: dict[str, Request] = {
    "ses": webhooks.ses(samples.ses_subscription(everything=False, status="OptOut")),
    "sendgrid": webhooks.sendgrid(samples.sendgrid("group_unsubscribe")),
    "postmark": webhooks.postmark(samples.postmark_change("ManualSuppression")),
    "mailgun": webhooks.mailgun(samples.mailgun("unsubscribed")),
}
DELIVERED: dict[str, Request] = {
    "ses": webhooks.ses(samples.ses_delivery()),
    "sendgrid": webhooks.sendgrid(samples.sendgrid("delivered")),
    "postmark": webhooks.postmark(samples.postmark_delivery()),
    "mailgun": webhooks.mailgun(samples.mailgun("delivered")),
}
PROVIDERS = list(GONE)
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def hooked(site_with: SiteMaker) -> Site:
    """Return a site that hears all four providers; Amazon is played by a function."""
    site = site_with(**SECRETS)
    site.subscribe("ada@example.org", "bob@example.org")
    heard = {**site.services.event_readers, "ses": webhooks.reader_of("ses", Amazon().fetch)}
    site.app.extensions["preference_center"] = replace(site.services, event_readers=heard)
    return site


def hook(site: Site, provider: str, request: Request) -> TestResponse:
    return site.post(f"/hooks/{provider}", data=request.body, headers=request.headers)


def counted(site: Site) -> dict[str, int]:
    """Return what was counted, by channel and effect."""
    site.services.inbound_counts.flush()
    with site.database.reading() as session:
        found = session.scalars(select(InboundCount))
        return {f"{each.channel}: {each.effect}": each.count for each in found}


def delivered_on(site: Site, email: str = "ada@example.org") -> date | None:
    with site.database.reading() as session:
        person = subscribers.find(session, make.id_of(email))
        assert person is not None
        return person.delivered_on


@each_provider
def test_a_delivery_is_recorded_and_unsubscribes_nothing(hooked: Site, provider: str) -> None:
    for _ in range(2):
        assert hook(hooked, provider, DELIVERED[provider]).status_code == 200
    assert delivered_on(hooked) == make.NOW.date()
    assert delivered_on(hooked, "bob@example.org") is None
    assert hooked.unsubscribed() == []
    assert counted(hooked) == {f"{provider}: delivered": 2}


def test_the_latest_delivery_counts_in_any_order(hooked: Site) -> None:
    days = [make.NOW - timedelta(days=each) for each in (3, 1, 2)]
    for chunk in (days, days[:1]):
        said = [samples.sendgrid("delivered", timestamp=at.timestamp()) for at in chunk]
        hook(hooked, "sendgrid", webhooks.sendgrid(*said))
    assert delivered_on(hooked) == (make.NOW - timedelta(days=1)).date()


def test_a_delivery_to_an_unknown_address_creates_no_subscriber(hooked: Site) -> None:
    said = samples.sendgrid("delivered", email="eve@example.org")
    hook(hooked, "sendgrid", webhooks.sendgrid(said))
    with hooked.database.reading() as session:
        assert subscribers.find(session, make.id_of("eve@example.org")) is None
    assert delivered_on(hooked) is None


def test_a_complaint_among_deliveries_is_processed(hooked: Site) -> None:
    said = [samples.sendgrid("delivered", email="bob@example.org"), samples.sendgrid("spamreport")]
    hook(hooked, "sendgrid", webhooks.sendgrid(*said))
    assert hooked.unsubscribed() == ["all"]
    assert delivered_on(hooked, "bob@example.org") == make.NOW.date()


@each_provider
def test_a_permanent_bounce_suppresses_the_subscriber(hooked: Site, provider: str) -> None:
    assert hook(hooked, provider, GONE[provider]).status_code == 200
    # Mailgun proves that it posts, and not what: that ends no receipts.
    assert hooked.unsubscribed() == ["all" if provider == "mailgun" else "address"]
    assert hooked.unsubscribed("bob@example.org") == []
    assert counted(hooked) == {f"{provider}: bounce suppressed": 1}


@each_provider
def test_a_complaint_ends_all_topics_without_a_notice(hooked: Site, provider: str) -> None:
    assert hook(hooked, provider, COMPLAINT[provider]).status_code == 200
    assert hooked.unsubscribed() == ["all"]
    hooked.now += timedelta(hours=1)
    assert hooked.emails() == []


@each_provider
def test_an_unsubscribe_ends_the_topic_of_its_email(hooked: Site, provider: str) -> None:
    assert hook(hooked, provider, UNSUBSCRIBE[provider]).status_code == 200
    assert hooked.unsubscribed() == ["weekly-news"]


@pytest.mark.parametrize(
    ("provider", "request_"),
    [
        ("ses", webhooks.ses(samples.ses_subscription(everything=True))),
        ("sendgrid", webhooks.sendgrid(samples.sendgrid("unsubscribe"))),
    ],
)
def test_an_unsubscribe_from_everything_ends_all_topics(
    hooked: Site, provider: str, request_: Request
) -> None:
    assert hook(hooked, provider, request_).status_code == 200
    assert hooked.unsubscribed() == ["all"]


@each_provider
def test_an_unsubscribe_follows_the_one_click_scope(site_with: SiteMaker, provider: str) -> None:
    site = site_with(**SECRETS, one_click_scope=Scope.ALL)
    site.subscribe("ada@example.org")
    heard = {provider: webhooks.reader_of(provider)}
    site.app.extensions["preference_center"] = replace(site.services, event_readers=heard)
    hook(site, provider, UNSUBSCRIBE[provider])
    assert site.unsubscribed() == ["all"]


@pytest.mark.parametrize("token", ["", "b-invalid_signature", samples.TOKEN.replace("b-", "u-")])
def test_an_unsubscribe_without_a_valid_token_ends_all_topics(hooked: Site, token: str) -> None:
    said = samples.sendgrid("unsubscribe", preference_center=token)
    hook(hooked, "sendgrid", webhooks.sendgrid(said))
    assert hooked.unsubscribed() == ["all"]


def test_the_address_identifies_the_subscriber_and_not_the_token(hooked: Site) -> None:
    said = samples.sendgrid("unsubscribe", email="Bob@Example.org")
    hook(hooked, "sendgrid", webhooks.sendgrid(said))
    assert hooked.unsubscribed("bob@example.org") == ["all"]
    assert hooked.unsubscribed() == []


@pytest.mark.parametrize("email", ["redacted@example.org", "forwarded@elsewhere.example"])
def test_a_complaint_of_an_unknown_address_includes_the_tokens_subscriber(
    hooked: Site, email: str
) -> None:
    hook(hooked, "sendgrid", webhooks.sendgrid(samples.sendgrid("spamreport", email=email)))
    assert hooked.unsubscribed() == hooked.unsubscribed(email) == ["all"]


@pytest.mark.parametrize("email", ["cc@elsewhere.example", "bob@example.org"])
def test_a_bounce_of_another_address_affects_only_that_address(hooked: Site, email: str) -> None:
    said = samples.sendgrid("bounce", email=email, reason=samples.GONE)
    hook(hooked, "sendgrid", webhooks.sendgrid(said))
    assert (hooked.unsubscribed(), hooked.unsubscribed(email)) == ([], ["address"])


def ses_about(said: dict[str, Any], *destination: str) -> Request:
    """Return an event of SES about an email to some addresses, with the token of ada's."""
    return webhooks.ses({**said, "mail": {**said["mail"], "destination": list(destination)}})


@pytest.mark.parametrize(
    "said",
    [
        samples.ses_bounce(emailAddress="cc@other.example"),
        samples.ses_complaint(emailAddress="cc@other.example"),
    ],
)
def test_an_event_about_a_cc_never_affects_the_tokens_subscriber(
    hooked: Site, said: dict[str, Any]
) -> None:
    hook(hooked, "ses", ses_about(said, samples.ADA, "cc@other.example"))
    assert hooked.unsubscribed() == []
    assert len(hooked.unsubscribed("cc@other.example")) == 1
    assert len(counted(hooked)) == 1


def test_a_bounce_after_forwarding_is_soft_for_the_tokens_subscriber(hooked: Site) -> None:
    said = samples.ses_bounce(emailAddress="far@other.example")
    hook(hooked, "ses", ses_about(said, samples.ADA))
    assert hooked.unsubscribed() == []
    assert counted(hooked) == {"ses: bounce soft": 1, "ses: bounce suppressed": 1}


@pytest.mark.parametrize("form", webhooks.MAILGUN_FORMS)
def test_a_legacy_form_of_mailgun_is_quarantined_once(hooked: Site, form: str) -> None:
    request = webhooks.mailgun_form(form, event="unsubscribed", recipient=samples.ADA)
    for _ in range(2):
        assert hook(hooked, "mailgun", request).status_code == 200
    assert counted(hooked) == {"mailgun: quarantined": 1, "mailgun: duplicate": 1}
    with hooked.database.reading() as session:
        assert [each.raw for each in session.scalars(select(QuarantineRow))] == [request.body]


def test_a_bounce_about_the_message_counts_for_no_subscriber(hooked: Site) -> None:
    said = samples.sendgrid("bounce", status="5.7.1", reason="550 5.7.1 blocked", type="bounce")
    hook(hooked, "sendgrid", webhooks.sendgrid(said))
    assert (hooked.unsubscribed(), counted(hooked)) == ([], {"sendgrid: bounce ignored": 1})


def test_a_token_identifies_the_subscriber_without_an_address(hooked: Site) -> None:
    said = samples.sendgrid("group_unsubscribe", email=None)
    hook(hooked, "sendgrid", webhooks.sendgrid(said))
    assert hooked.unsubscribed() == ["weekly-news"]


def test_repeated_delays_of_delivered_emails_suppress_nothing(hooked: Site) -> None:
    for week in range(6):
        hooked.now = make.NOW + timedelta(weeks=week)
        late = samples.sendgrid("deferred", sg_event_id=str(week), status="4.7.1")
        arrived = samples.sendgrid("delivered", sg_event_id=f"{week} arrived")
        hook(hooked, "sendgrid", webhooks.sendgrid(late, arrived, at=hooked.now))
    assert hooked.unsubscribed() == []


def test_a_failure_is_recorded_with_the_topic_of_its_token(hooked: Site) -> None:
    bob = {"email": "Bob@Example.org", "sg_event_id": "another"}
    full = samples.sendgrid("bounce", type="blocked", **bob)
    hook(hooked, "sendgrid", webhooks.sendgrid(samples.sendgrid("bounce", type="blocked"), full))
    with hooked.database.reading() as session:
        found = {each.subscriber_id: each.topic for each in session.scalars(select(FailedMailing))}
    # The token is another person's, so it does not say of which topic this email was.
    assert found == {make.id_of(): "weekly-news", make.id_of("bob@example.org"): ""}


def test_soft_bounces_for_weeks_end_all_topics_but_not_receipts(hooked: Site) -> None:
    for week in range(6):
        hooked.now = make.NOW + timedelta(days=4 * week)
        full = {"type": "blocked", "timestamp": int(hooked.now.timestamp())}
        said = samples.sendgrid("bounce", sg_event_id=str(week), **full)
        hook(hooked, "sendgrid", webhooks.sendgrid(said, at=hooked.now))
    assert hooked.unsubscribed() == ["all"]


def test_an_ignored_event_is_counted(hooked: Site) -> None:
    hook(hooked, "sendgrid", webhooks.sendgrid(samples.sendgrid("open")))
    assert counted(hooked) == {"sendgrid: ignored": 1}


def test_an_event_without_a_recipient_changes_nothing(hooked: Site) -> None:
    said = samples.sendgrid("unsubscribe", email="", preference_center="")
    assert hook(hooked, "sendgrid", webhooks.sendgrid(said)).status_code == 200
    assert counted(hooked) == {"sendgrid: unknown_recipient": 1}


def test_a_complaint_of_an_unknown_address_is_recorded(hooked: Site) -> None:
    said = samples.sendgrid("spamreport", email="new@example.org")
    hook(hooked, "sendgrid", webhooks.sendgrid(said))
    assert hooked.unsubscribed("new@example.org") == ["all"]


def test_the_events_of_a_list_are_processed_one_by_one(hooked: Site) -> None:
    left = samples.sendgrid("unsubscribe")
    full = samples.sendgrid("bounce", type="blocked", email="bob@example.org")
    opened = samples.sendgrid("open")
    hook(hooked, "sendgrid", webhooks.sendgrid(left, opened, full, left))
    assert counted(hooked) == {
        "sendgrid: unsubscribed": 1,
        "sendgrid: duplicate": 1,
        "sendgrid: bounce soft": 1,
    }


@each_provider
def test_a_replayed_event_is_accepted_and_changes_nothing(hooked: Site, provider: str) -> None:
    hook(hooked, provider, UNSUBSCRIBE[provider])
    hooked.now += timedelta(hours=1)
    with hooked.database.transaction() as session:
        make.start_topic(session, at=hooked.now)
    before = hooked.subscriptions()
    assert hook(hooked, provider, UNSUBSCRIBE[provider]).status_code == 200
    assert hooked.subscriptions() == before
    assert counted(hooked) == {f"{provider}: unsubscribed": 1, f"{provider}: duplicate": 1}


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+00:00", -62135596800, "9999-12-31T23:59:59-14:00", 1e300, None]
)
@pytest.mark.parametrize("kind", ["bounce", "spamreport", "unsubscribe"])
def test_an_impossible_timestamp_is_not_recorded(hooked: Site, kind: str, at: Any) -> None:
    said = samples.sendgrid(kind, timestamp=at, type="blocked")
    assert hook(hooked, "sendgrid", webhooks.sendgrid(said)).status_code == 200
    with hooked.database.reading() as session:
        for row in session.scalars(select(LedgerRow).where(LedgerRow.source != "import")):
            assert row.occurred_at >= make.NOW - timedelta(days=30)
            assert row.occurred_at <= make.NOW


def test_an_event_that_fails_does_not_lose_later_ones(
    hooked: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    request = webhooks.sendgrid(
        samples.sendgrid("bounce", type="blocked"),
        samples.sendgrid("spamreport", email="bob@example.org"),
    )
    with monkeypatch.context() as patched:
        patched.setattr(bounces, "record", fail)
        assert hook(hooked, "sendgrid", request).status_code == 500
    assert hooked.unsubscribed("bob@example.org") == ["all"]
    assert hook(hooked, "sendgrid", request).status_code == 200
    assert counted(hooked) == {
        "sendgrid: duplicate": 1,
        "sendgrid: bounce soft": 1,
        "sendgrid: complaint": 1,
    }


@pytest.mark.parametrize("domain", ["x." * 200_000, "y" * 12_000, "", "[" * 300])
def test_an_address_with_an_invalid_domain_is_suppressed(hooked: Site, domain: str) -> None:
    email = f"a@{domain}"
    said = samples.sendgrid("bounce", email=email, reason=samples.GONE)
    assert hook(hooked, "sendgrid", webhooks.sendgrid(said)).status_code == 200
    assert hooked.unsubscribed(email) == ["address"]


@pytest.mark.parametrize(
    ("provider", "without"),
    [
        ("sendgrid", lambda email: samples.sendgrid("spamreport", email=email, sg_event_id=None)),
        ("postmark", lambda email: samples.postmark("SpamComplaint", Email=email, ID=None)),
    ],
)
def test_events_without_an_id_are_not_confused(
    hooked: Site, provider: str, without: Callable[[str], Any]
) -> None:
    for email in ("ada@example.org", "bob@example.org", "ada@example.org"):
        hook(hooked, provider, webhooks.SIGNED[provider](without(email)))
    assert hooked.unsubscribed() == hooked.unsubscribed("bob@example.org") == ["all"]
    assert counted(hooked) == {f"{provider}: complaint": 2, f"{provider}: duplicate": 1}


def test_two_lists_in_opposite_orders_are_both_processed(hooked: Site) -> None:
    said = [samples.sendgrid("spamreport", email=f"p{n}@x.example") for n in range(20)]
    events = [each | {"sg_event_id": str(number)} for number, each in enumerate(said)]
    lists = [webhooks.sendgrid(*events), webhooks.sendgrid(*reversed(events))]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: hook(hooked, "sendgrid", each).status_code, lists))
    assert answers == [200, 200]
    assert counted(hooked) == {"sendgrid: complaint": 20, "sendgrid: duplicate": 20}


def test_a_late_event_does_not_override_a_newer_choice(hooked: Site) -> None:
    with hooked.database.transaction() as session:
        make.unsubscribe(session)
        make.start_topic(session, at=make.NOW + timedelta(hours=2))
    hooked.now += timedelta(hours=3)
    said = samples.sendgrid("unsubscribe")
    hook(hooked, "sendgrid", webhooks.sendgrid(said, at=hooked.now))
    assert hooked.subscriptions()["weekly-news"][0] == "subscribed"


@each_provider
def test_an_invalid_signature_is_refused_and_counted(hooked: Site, provider: str) -> None:
    before = hooked.rows()
    forged = Request(GONE[provider].body, {"Content-Type": "text/plain"})
    if provider == "ses":
        eve = webhooks.authority("eve.example")
        forged = webhooks.ses(samples.ses_bounce(), signer=eve)
    if provider == "mailgun":
        forged = webhooks.mailgun(samples.mailgun("complained"), key="not-the-key-at-all")
    response = hook(hooked, provider, forged)
    assert (response.status_code, response.text) == (
        403,
        "Invalid signature.\n",
    )
    assert hooked.rows() == before
    assert counted(hooked) == {f"{provider}: invalid_signature": 1}


@pytest.mark.parametrize("provider", [*PROVIDERS, "mailchimp", "ses/", "", "%00"])
def test_a_provider_without_a_secret_is_404(site: Site, provider: str) -> None:
    response = hook(site, provider, GONE.get(provider, GONE["sendgrid"]))
    assert response.status_code == 404
    assert site.unsubscribed() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_a_webhook_accepts_only_post(hooked: Site, method: str) -> None:
    response = hooked.open(method, "/hooks/sendgrid")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_signed_body_that_is_not_json_is_refused(hooked: Site) -> None:
    request = Request(b"{", webhooks.postmark({}).headers)
    response = hook(hooked, "postmark", request)
    assert (response.status_code, response.text) == (400, "Malformed event.\n")


@pytest.mark.parametrize(
    ("provider", "max_body_bytes"),
    [("sendgrid", 4_194_304), ("ses", 1_048_576), ("mailgun", 262_144)],
)
def test_a_body_that_is_too_long_is_refused(
    hooked: Site, provider: str, max_body_bytes: int
) -> None:
    assert hook(hooked, provider, Request(b" " * (max_body_bytes + 1), {})).status_code == 413
    assert hook(hooked, provider, Request(b" " * max_body_bytes, {})).status_code in (400, 403)


def test_an_unavailable_database_is_tried_once(
    hooked: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def away(*_: Any) -> None:
        asked.append(None)
        raise UnavailableError("away")

    monkeypatch.setattr(dedup, "record_if_new", away)
    many = [samples.sendgrid("unsubscribe", sg_event_id=str(n)) for n in range(9)]
    assert hook(hooked, "sendgrid", webhooks.sendgrid(*many)).status_code == 503
    assert len(asked) == 1


def test_an_unavailable_database_makes_the_provider_retry(hooked: Site) -> None:
    lose_database(hooked)
    response = hook(hooked, "sendgrid", UNSUBSCRIBE["sendgrid"])
    assert response.status_code == 503
    assert "Retry-After" in response.headers


def test_an_archived_topic_can_be_unsubscribed_from(hooked: Site) -> None:
    with hooked.database.transaction() as session:
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
    hook(hooked, "sendgrid", UNSUBSCRIBE["sendgrid"])
    assert hooked.unsubscribed() == ["weekly-news"]


def test_no_event_data_is_logged(hooked: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for provider in PROVIDERS:
        hook(hooked, provider, COMPLAINT[provider])
        hook(hooked, provider, Request(b'{"email": "canary@example.org"}', {}))
    assert caplog.records
    for secret in (samples.TOKEN, "ada@", "canary", webhooks.MAILGUN_WEBHOOK_SIGNING_KEY):
        assert secret not in caplog.text


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
FIELDS = sorted(
    {
        *samples.sendgrid("bounce", reason="", status="", type=""),
        *samples.postmark_change("HardBounce"),
        *samples.mailgun("failed", severity="permanent", reason=""),
        *samples.ses_bounce(),
        "Type",
    }
)
KINDS = ["bounce", "failed", "Bounce", "Complaint", "SubscriptionChange", "HardBounce", "dropped"]


@given(
    provider=st.sampled_from(PROVIDERS),
    said=st.dictionaries(st.sampled_from(FIELDS), json_values | st.sampled_from(KINDS)),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_event_is_answered(hooked: Site, provider: str, said: dict[str, Any]) -> None:
    response = hook(hooked, provider, webhooks.SIGNED[provider](said))
    assert response.status_code in (200, 400)


OLD = make.NOW - timedelta(days=2)
REFUSED = [
    ("ses", webhooks.ses(samples.ses_complaint(), at=OLD), 403, "the timestamp is too old"),
    (
        "ses",
        webhooks.ses(samples.ses_complaint(), TopicArn=f"{webhooks.TOPIC}-of-eve"),
        403,
        "unknown topic ARN",
    ),
    (
        "ses",
        webhooks.ses(samples.ses_complaint(), signer=webhooks.authority("eve.example")),
        403,
        "the signature is wrong",
    ),
    ("ses", Request(b"{ada@example.org", {}), 400, "the body is not JSON"),
    (
        "sendgrid",
        webhooks.sendgrid(samples.sendgrid("spamreport"), at=make.NOW + timedelta(hours=1)),
        403,
        "the timestamp is in the future",
    ),
    (
        "postmark",
        webhooks.postmark(samples.postmark("SpamComplaint"), "postmark:guess-7hG2kP9sQ4vX"),
        403,
        "the password is wrong",
    ),
    (
        "mailgun",
        webhooks.mailgun(samples.mailgun("complained"), key="another-key-7hG2kP9sQ4vX"),
        403,
        "the signature is wrong",
    ),
]


@pytest.mark.parametrize(("provider", "request_", "status", "reason"), REFUSED)
def test_a_refusal_is_logged_with_its_provider_and_reason_only(
    hooked: Site,
    caplog: pytest.LogCaptureFixture,
    provider: str,
    request_: Request,
    status: int,
    reason: str,
) -> None:
    response = hook(hooked, provider, request_)
    assert response.status_code == status
    assert response.text == ("Invalid signature.\n" if status == 403 else "Malformed event.\n")
    (record,) = [each for each in caplog.records if each.name.startswith("preference_center")]
    assert record.levelname == "WARNING"
    assert record.getMessage() == f"webhook of {provider} refused: {reason}"
