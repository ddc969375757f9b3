"""The exceptions: what they are, when one is raised, whether again, how they travel."""
