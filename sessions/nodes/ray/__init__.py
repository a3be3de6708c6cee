"""Ray as a launcher of agents: a bridge process joins the cluster, an actor on each node carries bytes."""
