"""Load workers and telemetry on other machines, as one session: agents, ways to them, their files."""
