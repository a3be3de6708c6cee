"""The highest load that holds an SLO, from what stored sessions already know: nothing is sent."""
