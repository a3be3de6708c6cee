"""How latency, throughput and goodput go with the load: a point for each load that a session has put on."""
