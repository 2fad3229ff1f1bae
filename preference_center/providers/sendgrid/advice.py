"""SendGrid: subscription tracking and click tracking."""

from preference_center.providers.advice import ProviderAdvice

ADVICE = ProviderAdvice(
    "SendGrid",
    ("sendgrid.net",),
    "Settings > Tracking > Subscription Tracking: off; send without an unsubscribe group.",
    path="/(?:wf|asm)/unsubscribe",
    tracking_path=r"/(?:ls|wf)/cl(?:ick)?\b",
)
