"""The services over HTTP/1.1, by the Connect protocol and gRPC-Web, and the playground page."""
