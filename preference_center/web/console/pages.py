"""All pages of the console, on one blueprint: importing a module adds its pages."""

from preference_center.web.console import assets as assets
from preference_center.web.console import campaigns as campaigns
from preference_center.web.console import complaints as complaints
from preference_center.web.console import day_notes as day_notes
from preference_center.web.console import errors as errors
from preference_center.web.console import exports as exports
from preference_center.web.console import imports as imports
from preference_center.web.console import keys as keys
from preference_center.web.console import lists as lists
from preference_center.web.console import oidc as oidc
from preference_center.web.console import operations as operations
from preference_center.web.console import overview as overview
from preference_center.web.console import own as own
from preference_center.web.console import people as people
from preference_center.web.console import person_changes as person_changes
from preference_center.web.console import previews as previews
from preference_center.web.console import reasons as reasons
from preference_center.web.console import sign_in as sign_in
from preference_center.web.console import staff as staff
from preference_center.web.console import topics as topics
from preference_center.web.console import webhooks as webhooks
from preference_center.web.console import wording as wording
from preference_center.web.console import wording_text as wording_text
from preference_center.web.console.blueprint import blueprint as blueprint
from preference_center.web.console.blueprint import configure as configure
