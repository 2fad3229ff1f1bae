"""Texts that exported files must be able to contain."""

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
# Special characters of spreadsheets: formula triggers, separators, quotation marks.
MARKS = st.text(st.sampled_from("'=+-@＝＋－＠;,|\t\r\n\"x "), max_size=12)
HOSTILE = st.one_of(TEXT, MARKS, st.builds(str.__add__, MARKS, TEXT))
