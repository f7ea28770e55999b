"""From text to a published bundle, with torch: recipe, data, network, loop, export."""
