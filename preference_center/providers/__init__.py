"""Knowledge about email providers: their signed events, and their own unsubscribe headers."""
