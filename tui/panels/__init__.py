"""One file a panel of the overview."""
