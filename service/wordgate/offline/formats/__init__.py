"""Files in which recognisers leave their hypotheses: one reader each."""
