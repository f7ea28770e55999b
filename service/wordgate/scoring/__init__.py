"""Candidate scoring, n-best and lattice rescoring, and word confidences."""
