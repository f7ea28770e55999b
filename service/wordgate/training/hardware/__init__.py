"""What a training runs on: devices, precisions, batches ahead of time, several processes."""
