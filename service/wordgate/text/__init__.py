"""Text: normal form, words, sentences, detokenization, typing errors."""
