"""Training data: passages, private data, tokens, sampling."""
