"""Files of other systems. `registry` has all formats; `base` says how one is described.

A status means what it means in that system, so no table of words is shared. A row is subscribed
only if it has a word for it, and a stop counts whatever else is in the row.
"""
