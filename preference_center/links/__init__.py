"""Signed links and the `List-*` headers, for programs that send email.

This package needs itsdangerous, idna and the standard library only. See `Minter`.
"""

from preference_center.links.headers import UnfoldedHeader
from preference_center.links.minter import Links, Minter

__all__ = ["Links", "Minter", "UnfoldedHeader"]
