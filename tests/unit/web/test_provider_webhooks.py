"""`/hooks/<provider>`: signed events are processed once, and others change nothing (M13)."""

from collections.abc import Callable, Mapping
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
from preference_center.providers import registry
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
PROVIDERS = list(registry.READERS)
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def webhook_site(site_with: SiteMaker) -> Site:
    """Return a site with webhooks of all providers; a function answers for Amazon."""
    site = site_with(**SECRETS)
    site.subscribe("ada@example.org", "bob@example.org")
    readers = {**site.services.event_readers, "ses": webhooks.reader_of("ses", Amazon().fetch)}
    site.app.extensions["preference_center"] = replace(site.services, event_readers=readers)
    return site


def post_event(site: Site, provider: str, request: Request) -> TestResponse:
    return site.post(f"/hooks/{provider}", data=request.body, headers=request.headers)


def counted(site: Site) -> dict[str, int]:
    """Return the inbound counts, by channel and effect."""
    site.services.inbound_counts.flush()
    with site.database.reading() as session:
        found = session.scalars(select(InboundCount))
        return {f"{each.channel}: {each.effect}": each.count for each in found}


@pytest.mark.parametrize("table", [GONE, COMPLAINT, UNSUBSCRIBE, DELIVERED, webhooks.SIGNED])
def test_every_provider_has_its_requests_in_each_table(table: Mapping[str, object]) -> None:
    assert table.keys() == registry.READERS.keys()


def delivered_on(site: Site, email: str = "ada@example.org") -> date | None:
    with site.database.reading() as session:
        subscriber = subscribers.find(session, make.id_of(email))
        assert subscriber is not None
        return subscriber.delivered_on


@each_provider
def test_a_delivery_is_recorded_and_unsubscribes_nothing(webhook_site: Site, provider: str) -> None:
    for _ in range(2):
        assert post_event(webhook_site, provider, DELIVERED[provider]).status_code == 200
    assert delivered_on(webhook_site) == make.NOW.date()
    assert delivered_on(webhook_site, "bob@example.org") is None
    assert webhook_site.unsubscribed() == []
    assert counted(webhook_site) == {f"{provider}: delivered": 2}


def test_the_latest_delivery_counts_in_any_order(webhook_site: Site) -> None:
    days = [make.NOW - timedelta(days=each) for each in (3, 1, 2)]
    for chunk in (days, days[:1]):
        events = [samples.sendgrid("delivered", timestamp=at.timestamp()) for at in chunk]
        post_event(webhook_site, "sendgrid", webhooks.sendgrid(*events))
    assert delivered_on(webhook_site) == (make.NOW - timedelta(days=1)).date()


def test_a_delivery_to_an_unknown_address_creates_no_subscriber(webhook_site: Site) -> None:
    event = samples.sendgrid("delivered", email="eve@example.org")
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event))
    with webhook_site.database.reading() as session:
        assert subscribers.find(session, make.id_of("eve@example.org")) is None
    assert delivered_on(webhook_site) is None


def test_a_complaint_among_deliveries_is_processed(webhook_site: Site) -> None:
    events = [
        samples.sendgrid("delivered", email="bob@example.org"),
        samples.sendgrid("spamreport"),
    ]
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(*events))
    assert webhook_site.unsubscribed() == ["all"]
    assert delivered_on(webhook_site, "bob@example.org") == make.NOW.date()


@each_provider
def test_a_permanent_bounce_suppresses_the_subscriber(webhook_site: Site, provider: str) -> None:
    assert post_event(webhook_site, provider, GONE[provider]).status_code == 200
    # Mailgun signs only that it posts, not the event: too little to suppress receipts.
    assert webhook_site.unsubscribed() == ["all" if provider == "mailgun" else "address"]
    assert webhook_site.unsubscribed("bob@example.org") == []
    assert counted(webhook_site) == {f"{provider}: bounce suppressed": 1}


@each_provider
def test_a_complaint_ends_all_topics_without_a_notice(webhook_site: Site, provider: str) -> None:
    assert post_event(webhook_site, provider, COMPLAINT[provider]).status_code == 200
    assert webhook_site.unsubscribed() == ["all"]
    webhook_site.now += timedelta(hours=1)
    assert webhook_site.emails() == []


@each_provider
def test_an_unsubscribe_ends_the_topic_of_its_email(webhook_site: Site, provider: str) -> None:
    assert post_event(webhook_site, provider, UNSUBSCRIBE[provider]).status_code == 200
    assert webhook_site.unsubscribed() == ["weekly-news"]


@pytest.mark.parametrize(
    ("provider", "request_"),
    [
        ("ses", webhooks.ses(samples.ses_subscription(everything=True))),
        ("sendgrid", webhooks.sendgrid(samples.sendgrid("unsubscribe"))),
    ],
)
def test_an_unsubscribe_from_everything_ends_all_topics(
    webhook_site: Site, provider: str, request_: Request
) -> None:
    assert post_event(webhook_site, provider, request_).status_code == 200
    assert webhook_site.unsubscribed() == ["all"]


@each_provider
def test_an_unsubscribe_follows_the_one_click_scope(site_with: SiteMaker, provider: str) -> None:
    site = site_with(**SECRETS, one_click_scope=Scope.ALL)
    site.subscribe("ada@example.org")
    readers = {provider: webhooks.reader_of(provider)}
    site.app.extensions["preference_center"] = replace(site.services, event_readers=readers)
    post_event(site, provider, UNSUBSCRIBE[provider])
    assert site.unsubscribed() == ["all"]


@pytest.mark.parametrize("token", ["", "b-invalid_signature", samples.TOKEN.replace("b-", "u-")])
def test_an_unsubscribe_without_a_valid_token_ends_all_topics(
    webhook_site: Site, token: str
) -> None:
    event = samples.sendgrid("unsubscribe", preference_center=token)
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event))
    assert webhook_site.unsubscribed() == ["all"]


def test_the_address_identifies_the_subscriber_and_not_the_token(webhook_site: Site) -> None:
    event = samples.sendgrid("unsubscribe", email="Bob@Example.org")
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event))
    assert webhook_site.unsubscribed("bob@example.org") == ["all"]
    assert webhook_site.unsubscribed() == []


@pytest.mark.parametrize("email", ["redacted@example.org", "forwarded@elsewhere.example"])
def test_a_complaint_of_an_unknown_address_includes_the_tokens_subscriber(
    webhook_site: Site, email: str
) -> None:
    post_event(
        webhook_site, "sendgrid", webhooks.sendgrid(samples.sendgrid("spamreport", email=email))
    )
    assert webhook_site.unsubscribed() == webhook_site.unsubscribed(email) == ["all"]


@pytest.mark.parametrize("email", ["cc@elsewhere.example", "bob@example.org"])
def test_a_bounce_of_another_address_affects_only_that_address(
    webhook_site: Site, email: str
) -> None:
    event = samples.sendgrid("bounce", email=email, reason=samples.GONE)
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event))
    assert (webhook_site.unsubscribed(), webhook_site.unsubscribed(email)) == ([], ["address"])


def ses_about(event: dict[str, Any], *destination: str) -> Request:
    """Return an event of SES about an email to some addresses, with ada's token."""
    return webhooks.ses({**event, "mail": {**event["mail"], "destination": list(destination)}})


@pytest.mark.parametrize(
    "event",
    [
        samples.ses_bounce(emailAddress="cc@other.example"),
        samples.ses_complaint(emailAddress="cc@other.example"),
    ],
)
def test_an_event_about_a_cc_never_affects_the_tokens_subscriber(
    webhook_site: Site, event: dict[str, Any]
) -> None:
    post_event(webhook_site, "ses", ses_about(event, samples.ADA, "cc@other.example"))
    assert webhook_site.unsubscribed() == []
    assert len(webhook_site.unsubscribed("cc@other.example")) == 1
    assert len(counted(webhook_site)) == 1


def test_a_bounce_after_forwarding_is_soft_for_the_tokens_subscriber(webhook_site: Site) -> None:
    event = samples.ses_bounce(emailAddress="far@other.example")
    post_event(webhook_site, "ses", ses_about(event, samples.ADA))
    assert webhook_site.unsubscribed() == []
    assert counted(webhook_site) == {"ses: bounce soft": 1, "ses: bounce suppressed": 1}


@pytest.mark.parametrize("form", webhooks.MAILGUN_FORMS)
def test_a_legacy_form_of_mailgun_is_quarantined_once(webhook_site: Site, form: str) -> None:
    request = webhooks.mailgun_form(form, event="unsubscribed", recipient=samples.ADA)
    for _ in range(2):
        assert post_event(webhook_site, "mailgun", request).status_code == 200
    assert counted(webhook_site) == {"mailgun: quarantined": 1, "mailgun: duplicate": 1}
    with webhook_site.database.reading() as session:
        assert [each.raw for each in session.scalars(select(QuarantineRow))] == [request.body]


def test_a_bounce_about_the_message_counts_for_no_subscriber(webhook_site: Site) -> None:
    event = samples.sendgrid("bounce", status="5.7.1", reason="550 5.7.1 blocked", type="bounce")
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event))
    assert (webhook_site.unsubscribed(), counted(webhook_site)) == (
        [],
        {"sendgrid: bounce ignored": 1},
    )


def test_a_token_identifies_the_subscriber_without_an_address(webhook_site: Site) -> None:
    event = samples.sendgrid("group_unsubscribe", email=None)
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event))
    assert webhook_site.unsubscribed() == ["weekly-news"]


def test_repeated_delays_of_delivered_emails_suppress_nothing(webhook_site: Site) -> None:
    for week in range(6):
        webhook_site.now = make.NOW + timedelta(weeks=week)
        late = samples.sendgrid("deferred", sg_event_id=str(week), status="4.7.1")
        arrived = samples.sendgrid("delivered", sg_event_id=f"{week} arrived")
        post_event(webhook_site, "sendgrid", webhooks.sendgrid(late, arrived, at=webhook_site.now))
    assert webhook_site.unsubscribed() == []


def test_a_failure_is_recorded_with_the_topic_of_its_token(webhook_site: Site) -> None:
    bob = {"email": "Bob@Example.org", "sg_event_id": "another"}
    full = samples.sendgrid("bounce", type="blocked", **bob)
    post_event(
        webhook_site,
        "sendgrid",
        webhooks.sendgrid(samples.sendgrid("bounce", type="blocked"), full),
    )
    with webhook_site.database.reading() as session:
        found = {each.subscriber_id: each.topic for each in session.scalars(select(FailedMailing))}
    # The token is another subscriber's, so it does not name the topic of this email.
    assert found == {make.id_of(): "weekly-news", make.id_of("bob@example.org"): ""}


def test_soft_bounces_for_weeks_end_all_topics_but_not_receipts(webhook_site: Site) -> None:
    for week in range(6):
        webhook_site.now = make.NOW + timedelta(days=4 * week)
        full = {"type": "blocked", "timestamp": int(webhook_site.now.timestamp())}
        event = samples.sendgrid("bounce", sg_event_id=str(week), **full)
        post_event(webhook_site, "sendgrid", webhooks.sendgrid(event, at=webhook_site.now))
    assert webhook_site.unsubscribed() == ["all"]


def test_an_ignored_event_is_counted(webhook_site: Site) -> None:
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(samples.sendgrid("open")))
    assert counted(webhook_site) == {"sendgrid: ignored": 1}


def test_an_event_without_a_recipient_changes_nothing(webhook_site: Site) -> None:
    event = samples.sendgrid("unsubscribe", email="", preference_center="")
    assert post_event(webhook_site, "sendgrid", webhooks.sendgrid(event)).status_code == 200
    assert counted(webhook_site) == {"sendgrid: unknown_recipient": 1}


def test_a_complaint_of_an_unknown_address_is_recorded(webhook_site: Site) -> None:
    event = samples.sendgrid("spamreport", email="new@example.org")
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event))
    assert webhook_site.unsubscribed("new@example.org") == ["all"]


def test_the_events_of_a_list_are_processed_one_by_one(webhook_site: Site) -> None:
    left = samples.sendgrid("unsubscribe")
    full = samples.sendgrid("bounce", type="blocked", email="bob@example.org")
    opened = samples.sendgrid("open")
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(left, opened, full, left))
    assert counted(webhook_site) == {
        "sendgrid: unsubscribed": 1,
        "sendgrid: duplicate": 1,
        "sendgrid: bounce soft": 1,
    }


@each_provider
def test_a_replayed_event_is_accepted_and_changes_nothing(
    webhook_site: Site, provider: str
) -> None:
    post_event(webhook_site, provider, UNSUBSCRIBE[provider])
    webhook_site.now += timedelta(hours=1)
    with webhook_site.database.transaction() as session:
        make.start_topic(session, at=webhook_site.now)
    before = webhook_site.subscriptions()
    assert post_event(webhook_site, provider, UNSUBSCRIBE[provider]).status_code == 200
    assert webhook_site.subscriptions() == before
    assert counted(webhook_site) == {f"{provider}: unsubscribed": 1, f"{provider}: duplicate": 1}


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+00:00", -62135596800, "9999-12-31T23:59:59-14:00", 1e300, None]
)
@pytest.mark.parametrize("kind", ["bounce", "spamreport", "unsubscribe"])
def test_an_impossible_timestamp_is_not_recorded(webhook_site: Site, kind: str, at: Any) -> None:
    event = samples.sendgrid(kind, timestamp=at, type="blocked")
    assert post_event(webhook_site, "sendgrid", webhooks.sendgrid(event)).status_code == 200
    with webhook_site.database.reading() as session:
        for row in session.scalars(select(LedgerRow).where(LedgerRow.source != "import")):
            assert row.occurred_at >= make.NOW - timedelta(days=30)
            assert row.occurred_at <= make.NOW


def test_an_event_that_fails_does_not_lose_later_ones(
    webhook_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    request = webhooks.sendgrid(
        samples.sendgrid("bounce", type="blocked"),
        samples.sendgrid("spamreport", email="bob@example.org"),
    )
    with monkeypatch.context() as patched:
        patched.setattr(bounces, "record", fail)
        assert post_event(webhook_site, "sendgrid", request).status_code == 500
    assert webhook_site.unsubscribed("bob@example.org") == ["all"]
    assert post_event(webhook_site, "sendgrid", request).status_code == 200
    assert counted(webhook_site) == {
        "sendgrid: duplicate": 1,
        "sendgrid: bounce soft": 1,
        "sendgrid: complaint": 1,
    }


@pytest.mark.parametrize("domain", ["x." * 200_000, "y" * 12_000, "", "[" * 300])
def test_an_address_with_an_invalid_domain_is_suppressed(webhook_site: Site, domain: str) -> None:
    email = f"a@{domain}"
    event = samples.sendgrid("bounce", email=email, reason=samples.GONE)
    assert post_event(webhook_site, "sendgrid", webhooks.sendgrid(event)).status_code == 200
    assert webhook_site.unsubscribed(email) == ["address"]


@pytest.mark.parametrize(
    ("provider", "without"),
    [
        ("sendgrid", lambda email: samples.sendgrid("spamreport", email=email, sg_event_id=None)),
        ("postmark", lambda email: samples.postmark("SpamComplaint", Email=email, ID=None)),
    ],
)
def test_events_without_an_id_are_not_confused(
    webhook_site: Site, provider: str, without: Callable[[str], Any]
) -> None:
    for email in ("ada@example.org", "bob@example.org", "ada@example.org"):
        post_event(webhook_site, provider, webhooks.SIGNED[provider](without(email)))
    assert webhook_site.unsubscribed() == webhook_site.unsubscribed("bob@example.org") == ["all"]
    assert counted(webhook_site) == {f"{provider}: complaint": 2, f"{provider}: duplicate": 1}


def test_two_lists_in_opposite_orders_are_both_processed(webhook_site: Site) -> None:
    events = [samples.sendgrid("spamreport", email=f"p{n}@x.example") for n in range(20)]
    numbered = [each | {"sg_event_id": str(number)} for number, each in enumerate(events)]
    lists = [webhooks.sendgrid(*numbered), webhooks.sendgrid(*reversed(numbered))]
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda each: post_event(webhook_site, "sendgrid", each).status_code, lists)
        )
    assert answers == [200, 200]
    assert counted(webhook_site) == {"sendgrid: complaint": 20, "sendgrid: duplicate": 20}


def test_a_late_event_does_not_override_a_newer_choice(webhook_site: Site) -> None:
    with webhook_site.database.transaction() as session:
        make.unsubscribe(session)
        make.start_topic(session, at=make.NOW + timedelta(hours=2))
    webhook_site.now += timedelta(hours=3)
    event = samples.sendgrid("unsubscribe")
    post_event(webhook_site, "sendgrid", webhooks.sendgrid(event, at=webhook_site.now))
    assert webhook_site.subscriptions()["weekly-news"][0] == "subscribed"


@each_provider
def test_an_invalid_signature_is_refused_and_counted(webhook_site: Site, provider: str) -> None:
    before = webhook_site.rows()
    forged = Request(GONE[provider].body, {"Content-Type": "text/plain"})
    if provider == "ses":
        other = webhooks.authority("eve.example")
        forged = webhooks.ses(samples.ses_bounce(), signer=other)
    if provider == "mailgun":
        forged = webhooks.mailgun(samples.mailgun("complained"), key="not-the-key-at-all")
    response = post_event(webhook_site, provider, forged)
    assert (response.status_code, response.text) == (
        403,
        "Invalid signature.\n",
    )
    assert webhook_site.rows() == before
    assert counted(webhook_site) == {f"{provider}: invalid_signature": 1}


@pytest.mark.parametrize("provider", [*PROVIDERS, "mailchimp", "ses/", "", "%00"])
def test_a_provider_without_a_secret_is_404(site: Site, provider: str) -> None:
    response = post_event(site, provider, GONE.get(provider, GONE["sendgrid"]))
    assert response.status_code == 404
    assert site.unsubscribed() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_a_webhook_accepts_only_post(webhook_site: Site, method: str) -> None:
    response = webhook_site.open(method, "/hooks/sendgrid")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_signed_body_that_is_not_json_is_refused(webhook_site: Site) -> None:
    request = Request(b"{", webhooks.postmark({}).headers)
    response = post_event(webhook_site, "postmark", request)
    assert (response.status_code, response.text) == (400, "Malformed event.\n")


@pytest.mark.parametrize(
    ("provider", "max_body_bytes"),
    [("sendgrid", 4_194_304), ("ses", 1_048_576), ("mailgun", 262_144)],
)
def test_a_body_that_is_too_long_is_refused(
    webhook_site: Site, provider: str, max_body_bytes: int
) -> None:
    assert (
        post_event(webhook_site, provider, Request(b" " * (max_body_bytes + 1), {})).status_code
        == 413
    )
    assert post_event(webhook_site, provider, Request(b" " * max_body_bytes, {})).status_code in (
        400,
        403,
    )


def test_an_unavailable_database_is_tried_once(
    webhook_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[Any] = []

    def fail(*_: Any) -> None:
        attempts.append(None)
        raise UnavailableError("away")

    monkeypatch.setattr(dedup, "record_new", fail)
    many = [samples.sendgrid("unsubscribe", sg_event_id=str(n)) for n in range(9)]
    assert post_event(webhook_site, "sendgrid", webhooks.sendgrid(*many)).status_code == 503
    assert len(attempts) == 1


def test_an_unavailable_database_makes_the_provider_retry(webhook_site: Site) -> None:
    lose_database(webhook_site)
    response = post_event(webhook_site, "sendgrid", UNSUBSCRIBE["sendgrid"])
    assert response.status_code == 503
    assert "Retry-After" in response.headers


def test_an_archived_topic_can_be_unsubscribed_from(webhook_site: Site) -> None:
    with webhook_site.database.transaction() as session:
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
    post_event(webhook_site, "sendgrid", UNSUBSCRIBE["sendgrid"])
    assert webhook_site.unsubscribed() == ["weekly-news"]


def test_no_event_data_is_logged(webhook_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for provider in PROVIDERS:
        post_event(webhook_site, provider, COMPLAINT[provider])
        post_event(webhook_site, provider, Request(b'{"email": "canary@example.org"}', {}))
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
    event=st.dictionaries(st.sampled_from(FIELDS), json_values | st.sampled_from(KINDS)),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_event_is_answered(webhook_site: Site, provider: str, event: dict[str, Any]) -> None:
    response = post_event(webhook_site, provider, webhooks.SIGNED[provider](event))
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
    webhook_site: Site,
    caplog: pytest.LogCaptureFixture,
    provider: str,
    request_: Request,
    status: int,
    reason: str,
) -> None:
    response = post_event(webhook_site, provider, request_)
    assert response.status_code == status
    assert response.text == ("Invalid signature.\n" if status == 403 else "Malformed event.\n")
    (record,) = [each for each in caplog.records if each.name.startswith("preference_center")]
    assert record.levelname == "WARNING"
    assert record.getMessage() == f"webhook of {provider} refused: {reason}"
