"""Everything a person types or sees. Nothing imports this package; Textual is imported only here."""
