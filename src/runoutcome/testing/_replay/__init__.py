"""Recordings of a gateway: read, and matched with requests."""
