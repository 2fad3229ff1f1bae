"""The HTTP entry points. A view reads its link and form, calls `core`, and responds."""
