"""Benchmarks. They are not tests, and no test asserts a duration."""
