"""Benchmarks of typing, over gRPC and HTTP."""
