"""Source text: what an engine compiles, and a person can read."""
