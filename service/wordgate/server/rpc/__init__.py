"""What surrounds every call: reading, limits, errors, the access log."""
