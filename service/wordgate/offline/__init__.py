"""Batch inference over files and tables."""
