"""Lists of people by filters, and changes to all people of a list that was frozen before."""
