"""Verdict on a client, from its requests and the runs that came of them."""
