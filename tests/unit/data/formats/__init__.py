"""Tests of other systems' formats."""
