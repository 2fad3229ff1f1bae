"""The domain logic. `README.md` in this folder describes its rules."""
