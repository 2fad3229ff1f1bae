"""Mailgun: unsubscribe tracking and click tracking."""

from preference_center.providers.advice import ProviderAdvice

ADVICE = ProviderAdvice(
    "Mailgun",
    ("mailgun.org", "mailgun.net"),
    "Sending > Domain settings > Tracking > Unsubscribes: off.",
    path=r"/u/eJ|u\+[a-z0-9]{40}",
    tracking_path="/c/eJ",
)
