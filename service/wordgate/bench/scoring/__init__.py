"""Benchmarks of scoring, and its reference computations."""
