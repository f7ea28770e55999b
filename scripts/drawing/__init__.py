"""What `scripts/pictures` draws with."""
