"""Tests of members of staff, their sessions, and the audit trail."""
