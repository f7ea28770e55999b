"""Training with PyTorch: recipes, training loop and checkpoints."""
