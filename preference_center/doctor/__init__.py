"""Check whether a received message gets a one-click unsubscribe button. Needs no database."""
