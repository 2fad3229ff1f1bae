"""Process inbound email and provider events."""
