"""Encode and decode protocol messages and gRPC statuses, and check the limits of requests."""
