"""What is true whatever stores it, shows it or sends it: values and decisions, with the standard library alone."""
