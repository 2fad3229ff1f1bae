"""Tests of the console's figures."""
