"""The server a person named: its URL, our key, TLS, and the key hidden in what the server says."""
