"""The demo's texts: consent wordings, reasons for unsubscribing, and the stories of emails."""

from preference_center.core.vocab import ReasonCode

SIGNING_UP = "Yes, send me {}. I can leave at any time."
JOINING = "Yes, send me {}"

# How often each reason is given, relative to the other reasons for leaving the topic.
REASON_WEIGHTS = {
    "weekly-news": {
        ReasonCode.NO_LONGER_INTERESTED: 9,
        ReasonCode.TOO_MANY: 7,
        ReasonCode.NOT_RELEVANT: 6,
        ReasonCode.CONTENT_QUALITY: 4,
        ReasonCode.NEVER_SIGNED_UP: 2,
        ReasonCode.CHANGED_ADDRESS: 3,
        ReasonCode.OTHER: 3,
    },
    "product-news": {
        ReasonCode.NOT_RELEVANT: 9,
        ReasonCode.NO_LONGER_INTERESTED: 6,
        ReasonCode.CHANGED_ADDRESS: 4,
        ReasonCode.CONTENT_QUALITY: 3,
        ReasonCode.TOO_MANY: 2,
        ReasonCode.NEVER_SIGNED_UP: 2,
        ReasonCode.OTHER: 2,
    },
    "offers": {
        ReasonCode.TOO_MANY: 20,
        ReasonCode.NOT_RELEVANT: 9,
        ReasonCode.CONTENT_QUALITY: 5,
        ReasonCode.NO_LONGER_INTERESTED: 4,
        ReasonCode.NEVER_SIGNED_UP: 3,
        ReasonCode.OTHER: 2,
        ReasonCode.CHANGED_ADDRESS: 1,
    },
}
NOTES = {
    ReasonCode.TOO_MANY: (
        "Two a week is more than I can read.",
        "I like them, just not this often.",
        "Three emails in five days. One would have done.",
        "Zu viele, zu oft. Einmal im Monat würde ich sie lesen.",
        "My inbox is full as it is.",
    ),
    ReasonCode.NOT_RELEVANT: (
        "I moved inland last year, the harbour is far away now.",
        "I no longer use the product.",
        "The shops you write about are closed when I get off work.",
        "Für mich war selten etwas dabei.",
    ),
    ReasonCode.NO_LONGER_INTERESTED: (
        "It was good while it lasted. Thank you!",
        "I only wanted to follow the building of the new pier.",
        "New job, other interests.",
        "لم أعد أتابع أخبار الميناء، وشكرًا لكم.",
    ),
    ReasonCode.NEVER_SIGNED_UP: (
        "I don’t remember asking for this.",
        "My sister probably used my address.",
    ),
    ReasonCode.CHANGED_ADDRESS: (
        "I read you at my new address now: jonas.weber@example.net",
        "This mailbox closes at the end of the month.",
        "Bitte nur noch an meine private Adresse.",
    ),
    ReasonCode.CONTENT_QUALITY: (
        "The stories used to be longer.",
        "The pictures don’t load in my mail program.",
        "Mostly advertising by now.",
        "Half of the offers were sold out when I got there.",
    ),
    ReasonCode.OTHER: (
        "Call me if you like: 0555 013 24 68",
        "I read you on the website.",
        "My daughter reads it to me now.",
    ),
}

# The emails of each topic, sent one after the other: subject and story.
STORIES = {
    "weekly-news": (
        (
            "the harbour is open again",
            "the harbour is open again, the bakery on the corner has a new oven, and on Friday "
            "there is music in the square.",
        ),
        (
            "the market moves to the quay",
            "from this week the market is on the quay, the ferry goes an hour later in the "
            "evening, and the library lends out binoculars.",
        ),
        (
            "a seal on the slipway",
            "a young seal has chosen the old slipway for its naps, the swimming school is taking "
            "names again, and the lighthouse is open on Sunday.",
        ),
    ),
    "product-news": (
        (
            "letters that write themselves",
            "our letters now start with a draft: choose a template, add two lines of your own, "
            "and look it over before you send it.",
        ),
        (
            "a calendar for your readers",
            "you can now add your events to your readers’ calendars, at the right time wherever "
            "they are.",
        ),
    ),
    "offers": (
        (
            "two coffees for one, until Sunday",
            "at the kiosk by the pier the second coffee is free until Sunday, and the chandler "
            "is selling last year’s rain jackets at half price.",
        ),
        (
            "fresh mussels on Thursday",
            "the fishmonger has mussels on Thursday, the first kilo at a special price if you "
            "bring a bowl, and the bookshop swaps your old crime novels.",
        ),
        (
            "a free check of your bicycle",
            "before winter comes, the workshop behind the harbour master’s office checks brakes "
            "and lights for free.",
        ),
    ),
}
