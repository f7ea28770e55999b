"""Output for people: tables, progress, the line editor."""
