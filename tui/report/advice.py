"""What to do when requests fail, by the kind of error that most failed of."""

from __future__ import annotations

ADVICE: dict[str, str] = {
    "connect_refused": "is the server running, and at this port?",
    "connect_timeout": "is the address right, and does a firewall let the port through?",
    "dns": "is the host name right?",
    "tls": "trust its authority with --ca FILE; ttftop doctor URL says what is wrong with the certificate",
    "no_descriptors": "this machine is the limit: raise ulimit -n, or lower --max-in-flight or --concurrency",
    "http_400": "the server says what it dislikes: see --body, --input-tokens, --model; or ttftop doctor URL",
    "http_401": "set TTFTOP_API_KEY or OPENAI_API_KEY, or give --api-key-file FILE",
    "http_403": "this key may not use the model or the path: another key, or --model M",
    "http_404": "see --model, --path and --endpoint; ttftop doctor URL lists what the server has",
    "http_413": "shorter prompts (--input-tokens), or a higher limit of the proxy's",
    "http_422": "the server names the field that it refuses: see --body",
    "http_500": "the server's own log says why; until that is mended no load tells anything",
    "http_502": "the gateway answers, the server behind it does not: look there first",
    "http_504": "the gateway's own deadline is shorter than the answers: raise it, or lower the load",
    "rejected": "the server sheds load: lower --rate or --concurrency, or ask for a higher limit",
    "not_sse": "what answers is no streaming API: see --path and --endpoint; ttftop doctor URL",
    "headers_timeout": "lower the load, or wait longer: --timeout headers=10m",
    "first_token_timeout": "lower the load, or wait longer: --timeout first-token=10m",
    "gap_timeout": "the server stalls amid answers: its log, or --timeout gap=5m",
    "total_timeout": "fewer --output-tokens, less load, or --timeout total=30m",
    "unfinished": "a longer --duration, or less load than the server is given now",
}
"""A line each; a kind that is not here has none."""
