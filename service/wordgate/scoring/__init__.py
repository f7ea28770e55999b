"""Candidates and hypotheses: prefix-tree scoring, rescoring, lattices, confidences."""
