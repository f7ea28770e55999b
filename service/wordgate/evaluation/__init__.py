"""Measures of a model: perplexity, keystroke savings, corrections, cloze tests, tuning."""
