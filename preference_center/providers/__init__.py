"""What a mail provider's events say, once they are proved to be the provider's own."""
