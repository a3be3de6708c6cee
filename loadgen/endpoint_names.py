"""The names of the protocols in which a server can be asked, for whoever chooses one.

What each of them is says `loadgen.endpoints`, whose import costs more than a command line has to spare.
"""

from __future__ import annotations

from typing import Literal, get_args

EndpointName = Literal[
    "completions", "chat", "responses", "messages", "embeddings", "tgi", "ollama", "ollama-chat", "llamacpp"
]
AskedEndpoint = Literal["auto", EndpointName]
"""`auto`: which of completions and chat the server has is found out."""

ENDPOINT_NAMES: tuple[EndpointName, ...] = get_args(EndpointName)
