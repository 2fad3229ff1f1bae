"""How often the demo's readers react to an email, and how."""

from preference_center.core.vocab import Frequency, Pause, Scope, Source

Reaction = Source | Frequency | Pause | Scope

# Reactions to each topic, in readers per thousand emails.
REACTIONS: dict[str, dict[Reaction, float]] = {
    "weekly-news": {
        Source.ONE_CLICK: 0.8,
        Source.PAGE: 1.0,
        Scope.ALL: 0.2,
        Frequency.MONTHLY: 2.2,
        Pause.TWO_WEEKS: 0.6,
        Pause.ONE_MONTH: 0.5,
        Pause.THREE_MONTHS: 0.5,
        Source.COMPLAINT: 0.05,
        Source.BOUNCE: 0.2,
    },
    "product-news": {
        Source.ONE_CLICK: 0.9,
        Source.PAGE: 0.8,
        Scope.ALL: 0.2,
        Pause.ONE_MONTH: 1.2,
        Pause.THREE_MONTHS: 2.2,
        Source.COMPLAINT: 0.05,
        Source.BOUNCE: 0.2,
    },
    "offers": {
        Source.ONE_CLICK: 1.4,
        Source.PAGE: 1.8,
        Scope.ALL: 0.4,
        Frequency.WEEKLY: 3.6,
        Frequency.MONTHLY: 2.4,
        Pause.TWO_WEEKS: 1.0,
        Pause.ONE_MONTH: 0.8,
        Pause.THREE_MONTHS: 0.6,
        Source.COMPLAINT: 0.1,
        Source.BOUNCE: 0.2,
    },
}
