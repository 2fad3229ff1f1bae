"""The settings that the console shows: those whose definition says so, and no others."""

from dataclasses import dataclass, fields

from preference_center.settings.settings import Settings
from preference_center.settings.shown import shown
from tests.support import make

# Of these, only whether they are set. So it is with a new setting until its type is `Shown`.
NOT_SHOWN = {
    *("link_keys", "identity_key", "server_keys", "secret_key", "database_url", "smtp_url"),
    *("imap_url", "metrics_token", "oidc", "postmark_webhook_credentials"),
    *("mailgun_webhook_signing_key", "brand_logo"),
}


@dataclass(frozen=True, kw_only=True, repr=False)
class LaterSettings(Settings):
    """The settings of a later version, which has one more secret."""

    other_key: str = "of another system"


def test_a_setting_is_shown_only_if_its_definition_says_so() -> None:
    found = shown(LaterSettings(**vars(make.settings(smtp_url="smtp://eve:secret@localhost"))))
    assert (found["smtp_url"], found["other_key"], found["imap_url"]) == ("set", "set", "not set")
    assert found["public_url"] == "https://mail.example.org"
    assert found.keys() == {each.name for each in fields(LaterSettings)}


def test_each_setting_that_is_not_shown_is_known() -> None:
    hidden = {name for name, text in shown(make.settings()).items() if text in ("set", "not set")}
    assert hidden == NOT_SHOWN
