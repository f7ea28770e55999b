"""The gRPC server: servicers, limits, metrics, lifecycle, HTTP."""
