"""Lift a subscriber's own request to never be emailed, when they have asked staff to."""

from dataclasses import dataclass

from preference_center.core.change import ADDRESS, ALL, ChangeContext
from preference_center.core.consent import end_consent
from preference_center.core.draft import Change, Draft
from preference_center.core.state import Subscriber
from preference_center.core.subscriptions import remove_suppression
from preference_center.core.vocab import Event, Scope


@dataclass(frozen=True)
class LiftOwnStop(Change[bool]):
    """The end of a subscriber's own stop of the address. The result says if there was one.

    Nothing starts by it: it leaves an unsubscribe from all topics, which a sign-up can lift.
    """

    context: ChangeContext

    def first_row(self, subscriber: Subscriber) -> int | None:
        return 1 if subscriber.seq else None

    def make(self, draft: Draft) -> bool:
        stop = draft.subscriber.suppressions.get(Scope.ADDRESS)
        if stop is None or not stop.source.is_own:
            return False
        end_consent(draft, ALL, self.context)
        remove_suppression(draft, ADDRESS.scope, Event.LIFTED, self.context)
        return True
