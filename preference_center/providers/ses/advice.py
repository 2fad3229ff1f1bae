"""Amazon SES: subscription management and click tracking."""

from preference_center.providers.advice import ProviderAdvice

ADVICE = ProviderAdvice(
    "Amazon SES",
    ("amazonses.com",),
    "Send without ListManagementOptions, and with your own headers.",
    tracking_domains=("awstrack.me",),
    tracking_path="/CL0/|/L0/http",
)
