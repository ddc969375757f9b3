"""Submit, poll, cancel, job, stream: generators that yield effects and get results."""
