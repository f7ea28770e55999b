"""Probes: which units of the cell state follow a property of the text."""
