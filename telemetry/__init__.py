"""What the GPUs and the server were doing: a module or a folder per source, polled on absolute ticks.

A library of its own: it knows no load, no session and no screen. A value that could not be had is
None, never 0.
"""
