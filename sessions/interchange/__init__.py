"""Other tools' result files, in and out: one file a tool. What comes in is a session like any other."""
