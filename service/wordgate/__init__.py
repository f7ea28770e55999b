"""Wordgate: a server of LSTM language models for autocomplete and hypothesis rescoring."""
