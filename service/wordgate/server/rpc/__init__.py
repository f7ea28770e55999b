"""Handling common to all calls: reading messages, limits, errors, access log."""
