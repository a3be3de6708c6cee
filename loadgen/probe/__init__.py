"""What a server can do, asked once before the load, with httpx; `loadgen.probe.probe.probe` asks it."""
