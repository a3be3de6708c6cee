"""HTTP/1.1 over our own sockets, each read with the time at which the kernel received it."""
