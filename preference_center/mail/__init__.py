"""Mails: composed from templates, sent through a transport. Knows no database and no HTTP."""
