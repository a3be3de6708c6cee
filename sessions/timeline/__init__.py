"""The one fold: records to columns by time."""
