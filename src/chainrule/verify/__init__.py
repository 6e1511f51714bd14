"""Proof: derivatives that know nothing of the chain rule."""
