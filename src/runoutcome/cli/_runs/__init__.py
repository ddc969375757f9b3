"""Commands about one run."""
