"""Pages and forms: the edge that knows Flask, opens transactions and commits them, once a POST."""
