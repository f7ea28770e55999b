"""From text to a trained network, with torch: recipe, loop, checkpoints."""
