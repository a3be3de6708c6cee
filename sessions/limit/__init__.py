"""The highest load that holds an SLO: what is certain of a step, and which is the next. No clock, no I/O."""
