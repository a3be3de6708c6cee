"""The names of themes, apart from their colours: the command line knows them before a screen is opened."""

from __future__ import annotations

THEMES = ("auto", "terminal", "dark", "light", "safe", "safe-light")
"""What may be asked for: `auto` is `light` where the terminal says that it is, else `dark`; `terminal` is its
own sixteen colours; `safe` and `safe-light` tell good from bad without red and green."""
