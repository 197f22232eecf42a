"""ClickHouse's HTTP interface, and the greeting of its native one, over ClickHouse's engine as a library."""
