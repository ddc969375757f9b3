"""Commands about a file of jobs."""
