"""Everything a person types or sees. Nobody imports this package; only `tui.screens` imports Textual."""
