"""Benchmarks: the commands of `wordgate bench`."""
