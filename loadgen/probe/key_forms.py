"""In which headers a key may travel, likeliest first, and what else a protocol wants said in each request."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.endpoint_names import AskedEndpoint
from loadgen.endpoints import ENDPOINTS
from loadgen.target.api_key import ApiKey
from loadgen.target.request_headers import Header

KeyForm = tuple[ApiKey | None, list[Header]]
"""A key that goes as `Authorization: Bearer`, if one does, and all headers that are added to ours."""


def key_forms(
    endpoint: AskedEndpoint, api_key: ApiKey | None, more_headers: Sequence[Header]
) -> list[KeyForm]:
    """What to try: the next one where a key is refused as unknown (HTTP 401).

    For Anthropic's protocol vLLM takes a key as a bearer only, Anthropic's own server as `x-api-key` only;
    both at once are two keys to a server that tells them apart. What a person adds replaces ours of its name.
    """
    given = {name for name, _ in more_headers}
    own = () if endpoint == "auto" else ENDPOINTS[endpoint].headers
    headers = [*(header for header in own if header[0] not in given), *more_headers]
    forms: list[KeyForm] = [(api_key, headers)]
    if endpoint == "messages" and api_key is not None and not given & {"authorization", "x-api-key"}:
        forms.append((None, [*headers, ("x-api-key", api_key.reveal())]))
    return forms
