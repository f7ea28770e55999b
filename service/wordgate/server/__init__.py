"""The gRPC server: servicers, limits, metrics, HTTP, lifecycle."""
