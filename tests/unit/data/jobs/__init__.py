"""Tests of the jobs of the console."""
