"""All pages of the console, on one blueprint: importing a module adds its pages."""

from preference_center.web.console import assets, errors, overview, own, sign_in, staff
from preference_center.web.console.blueprint import blueprint, configure

__all__ = ["assets", "blueprint", "configure", "errors", "overview", "own", "sign_in", "staff"]
