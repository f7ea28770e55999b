"""Training data: passages, masking of private data, tokenization, sampling."""
