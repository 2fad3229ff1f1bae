"""The pages that a link opens: no cookie, no script, no question before leaving."""
