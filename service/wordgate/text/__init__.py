"""Text processing: normalisation, word and sentence segmentation, detokenization, typo model."""
