"""The journal of batches: one SQLite file, one owner that writes it, any number of readers."""
