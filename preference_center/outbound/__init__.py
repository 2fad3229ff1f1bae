"""Outgoing email: the worker, and the content, composition and SMTP delivery of each email."""
