"""Tests of unpacking files."""
