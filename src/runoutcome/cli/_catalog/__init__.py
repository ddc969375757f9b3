"""Commands about the catalog, and about what a word or a body of it means."""
