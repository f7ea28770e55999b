"""Wordgate: serves an LSTM language model for autocomplete and candidate scoring."""
