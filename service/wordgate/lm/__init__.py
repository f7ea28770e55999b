"""The algorithms' view of the language model: tokenizer, lexicon, requests, context window."""
