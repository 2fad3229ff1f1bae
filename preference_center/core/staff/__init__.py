"""The members of staff who use the console: who they are, how they sign in, what they did."""
