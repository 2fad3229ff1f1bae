"""`/console/`: the pages for marketers, support and operators. A member of staff signs in first."""
