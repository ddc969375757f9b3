"""Scenarios: their values, and how they are read and built."""
