"""What the demo's readers agreed to, and what they say when they leave."""

SIGNING_UP = "Yes, send me {}. I can leave at any time."
JOINING = "Yes, send me {}"

# Of those who say why they left a topic, how many give which reason.
WHY = {
    "weekly-news": {
        "no_longer_interested": 9,
        "too_many": 7,
        "not_relevant": 6,
        "content_quality": 4,
        "never_signed_up": 2,
        "changed_address": 3,
        "other": 3,
        "prefer_not_say": 2,
    },
    "product-news": {
        "not_relevant": 9,
        "no_longer_interested": 6,
        "changed_address": 4,
        "content_quality": 3,
        "too_many": 2,
        "never_signed_up": 2,
        "other": 2,
        "prefer_not_say": 1,
    },
    "offers": {
        "too_many": 20,
        "not_relevant": 9,
        "content_quality": 5,
        "no_longer_interested": 4,
        "never_signed_up": 3,
        "prefer_not_say": 2,
        "other": 2,
        "changed_address": 1,
    },
}
NOTES = {
    "too_many": (
        "Two a week is more than I can read.",
        "I like them, just not this often.",
        "Three mails in five days. One would have done.",
        "Zu viele, zu oft. Einmal im Monat würde ich sie lesen.",
        "My inbox is full as it is.",
    ),
    "not_relevant": (
        "I moved inland last year, the harbour is far away now.",
        "I don’t use the product any more.",
        "The shops you write about are closed when I get off work.",
        "Für mich war selten etwas dabei.",
    ),
    "no_longer_interested": (
        "It was good while it lasted. Thank you!",
        "I only wanted to follow the building of the new pier.",
        "New job, other interests.",
        "لم أعد أتابع أخبار الميناء، وشكرًا لكم.",
    ),
    "never_signed_up": (
        "I don’t remember asking for this.",
        "My sister probably used my address.",
    ),
    "changed_address": (
        "I read you at my new address now: jonas.weber@example.net",
        "This mailbox closes at the end of the month.",
        "Bitte nur noch an meine private Adresse.",
    ),
    "content_quality": (
        "The stories used to be longer.",
        "The pictures don’t load in my mail program.",
        "Mostly advertising by now.",
        "Half of the offers were sold out when I got there.",
    ),
    "other": (
        "Call me if you like: 0555 013 24 68",
        "I read you on the website.",
        "My daughter reads it to me now.",
    ),
    "prefer_not_say": ("",),
}

# What each mail of a topic is about, one after the other: the subject, and the story.
MAILS = {
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
            "a young seal has chosen the old slipway for its naps, the swimming school takes "
            "names again, and the lighthouse is open on Sunday.",
        ),
    ),
    "product-news": (
        (
            "letters that write themselves",
            "our letters now begin themselves: choose a template, add two lines of your own, and "
            "look it over before it goes.",
        ),
        (
            "a calendar for your readers",
            "whatever you announce can now stand in your readers’ calendars, with the right time "
            "wherever they are.",
        ),
    ),
    "offers": (
        (
            "two coffees for one, until Sunday",
            "at the kiosk by the pier the second coffee is on the house until Sunday, and the "
            "chandler sells last year’s rain jackets at half the price.",
        ),
        (
            "fresh mussels on Thursday",
            "the fishmonger has mussels on Thursday, the first kilo at a special price for whoever "
            "brings a bowl, and the bookshop swaps your old crime novels.",
        ),
        (
            "a free check of your bicycle",
            "before winter comes, the workshop behind the harbour master’s office looks over "
            "brakes and lights for nothing.",
        ),
    ),
}
