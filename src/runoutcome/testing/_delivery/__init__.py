"""Webhooks: events, when each is due, and their delivery."""
