"""Published suites of minimal pairs: BLiMP, and subject-verb agreement."""
