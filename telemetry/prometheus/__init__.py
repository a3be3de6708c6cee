"""What servers and exporters say of themselves at `/metrics`."""
