"""Documents: printed formulas and words, put together."""
