"""Substack: the list of subscribers."""

from preference_center.data.formats.base import Format, Variant, names_of, opt_out_column

SUBSTACK = Format(
    name="substack",
    title="Substack",
    variants=(
        Variant(
            names_of("email", "email_disabled"),
            names_of(
                *("active_subscription", "expiry", "plan", "prefer_digests", "first_payment_at"),
                *("stripe_connected_customer_id", "type"),
            ),
            1,
        ),
        Variant(
            names_of("Email", "Emails disabled?"),
            names_of("Stripe plan", "Cancel date", "Start date", "Paid upgrade date"),
            1,
        ),
    ),
    columns=(opt_out_column("emaildisabled", "emailsdisabled"),),
    skipped="@deletion-request.substack.com",
    harmless="createdat|name",
    harmless_parts=r"\d+\.(opens|delivers)\.csv",  # who got and opened a post
    blind_spots=(
        "People who unsubscribed are not in the file. That a person is in it says nothing about "
        "consent: with --status subscribed, you say that everyone whose email is not disabled "
        "agreed to get it.",
        "`active_subscription` is about payment, not about email.",
        "It does not say when email was disabled, or why.",
    ),
)
