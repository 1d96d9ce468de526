"""Mail: bytes in, bytes out. This room never touches the database."""
