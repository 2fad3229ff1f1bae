"""Decisions; `README.md` beside this file has the rules of the folder."""
