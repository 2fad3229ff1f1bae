"""Klaviyo: profiles that are suppressed."""

from preference_center.data.suppression_files.system import OutputFile, System, addresses_only

KLAVIYO = System(
    title="Klaviyo",
    lines=addresses_only(OutputFile("suppressed.csv", "Email")),
    steps="""\
1. In Klaviyo, open Audience > Profiles > Suppressed profiles.
2. Choose Upload file, and upload suppressed.csv.

The file has every stop: unsubscribes, bounces and complaints. A suppressed profile gets no
marketing email from Klaviyo, whatever its lists and its consent say.
""",
)
