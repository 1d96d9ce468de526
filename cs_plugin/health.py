"""What is wrong with a desk, what it costs, and the line that puts it right."""
