"""Terminal output: tables, progress, the line editor."""
