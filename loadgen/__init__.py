"""Puts load on an OpenAI-compatible server and says what happened, to the nanosecond.

A library of its own: it knows no session, no screen and no GPU. What it observes it hands to an
`emit` that was passed in.
"""
