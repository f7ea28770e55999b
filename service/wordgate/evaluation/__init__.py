"""Perplexity, question sets and benchmarks."""
