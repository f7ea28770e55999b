"""The PyTorch network, its loss and its optimiser."""
