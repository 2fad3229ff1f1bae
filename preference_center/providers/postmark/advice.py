"""Postmark: managed unsubscribes and click tracking."""

from preference_center.providers.advice import ProviderAdvice

ADVICE = ProviderAdvice(
    "Postmark",
    ("postmarkapp.com", "pstmrk.it", "mtasv.net"),
    "Ask their support to let you manage unsubscribes. "
    "Then, for each broadcast stream: Manage unsubscribes on your own.",
    tracking_domains=("pstmrk.it",),
)
