"""Printing on terminals and pipes."""
