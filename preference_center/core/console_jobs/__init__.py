"""Exports and imports that members of staff start in the console, and a worker runs."""
