"""Where models come from: everything becomes one graph."""
