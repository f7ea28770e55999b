"""Training hardware: devices, precisions, batches prepared ahead, several processes."""
