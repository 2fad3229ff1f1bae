"""Email out: the worker, the content of each email, its composition, and its delivery by SMTP."""
