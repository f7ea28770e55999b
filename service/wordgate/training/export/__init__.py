"""Export of a checkpoint as a published bundle."""
