"""An LLM server to try everything on, without a GPU: what it serves is always labelled as simulated.

The engine (`batch`) and the GPUs (`gpu`) are pure models told what time it is; `engine` paces them,
`app` speaks HTTP. Importing this package imports none of them.
"""
