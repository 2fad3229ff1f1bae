"""How to recognise a provider's own unsubscribe header and click tracking, and disable them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProviderAdvice:
    """What `doctor` knows about a provider.

    `domains` are those of its unsubscribe addresses, `path` a regular expression for the path (or
    the local part of a mailto) that it uses on customers' domains. `switch_off` tells an operator
    how to disable the header. The tracking fields identify its click-tracking links.
    """

    name: str
    domains: tuple[str, ...]
    switch_off: str
    path: str = ""
    tracking_domains: tuple[str, ...] = ()
    tracking_path: str = ""
