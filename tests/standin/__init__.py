"""Contract stand-in for Langfuse's two images.

Reads the environment of Langfuse 4.16.0, validates it as the application does and moves the data the same way:
web -> S3 -> Redis -> worker -> ClickHouse -> web. It answers what the recorded exchanges answer, and nothing else.
"""

VERSION = "4.16.0"
