"""What a server can do, asked once before the load, over its own sockets. `probe.probe` is the door."""
