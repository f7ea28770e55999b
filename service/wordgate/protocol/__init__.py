"""The protocol's messages and statuses as values, in both directions, and its limits."""
