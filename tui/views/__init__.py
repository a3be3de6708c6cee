"""One file a whole screen: frame, state and size to rows of text."""
