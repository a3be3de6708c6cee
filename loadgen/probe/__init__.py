"""What a server can do, asked once before the load, with httpx. `ask.probe` is the door."""
