"""Another node's telemetry, on our clock."""
