"""Training: the loop over an engine."""
