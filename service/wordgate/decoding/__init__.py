"""Next words: best-first search, biasing, corrections, phrases, truecasing, generation."""
