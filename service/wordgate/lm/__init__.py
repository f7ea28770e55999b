"""The language model as the algorithms see it: tokenizer, lexicon, model requests, context."""
