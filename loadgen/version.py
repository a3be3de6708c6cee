"""The one place where the version stands; the package's metadata take it from here.

To ask the metadata costs a start some ten milliseconds in each of its processes.
"""

VERSION = "0.1.0"
