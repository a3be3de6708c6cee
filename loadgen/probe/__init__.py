"""What a server can do, asked once before the load over its own sockets: `loadgen.probe.probe.probe`."""
