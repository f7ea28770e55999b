"""The network in torch, its loss and its optimizer."""
