"""Files of other systems. `registry` has all formats; `base` says how one is described.

A word means what it means in that system, so each format has its own words. A row starts a topic
only if it has the system's word for it. A stop counts whatever else is in the row.
"""
