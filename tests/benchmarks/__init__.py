"""Measurements. They are not tests: no test asserts a time."""
