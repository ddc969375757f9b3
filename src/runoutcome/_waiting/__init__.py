"""Values and pure decisions about waiting; `now` is an argument."""
