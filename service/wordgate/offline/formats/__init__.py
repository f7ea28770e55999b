"""Readers of recognisers' output formats, one module per format."""
