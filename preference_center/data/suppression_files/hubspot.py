"""HubSpot: an opt-out list."""

from preference_center.data.suppression_files.system import OutputFile, System, addresses_only

HUBSPOT = System(
    title="HubSpot",
    lines=addresses_only(OutputFile("opt-outs.csv", "Email")),
    steps="""\
1. In HubSpot, open Contacts > Import, and choose to import an opt-out list.
2. Upload opt-outs.csv.

The file has every stop: unsubscribes, bounces and complaints. HubSpot sets "Unsubscribed from all
email" for each address.
""",
)
