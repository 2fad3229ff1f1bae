"""Signed links and the List-* headers. Senders import this package without Flask or a database."""

from preference_center.links.headers import UnfoldedHeader
from preference_center.links.minter import Links, Minter

__all__ = ["Links", "Minter", "UnfoldedHeader"]
