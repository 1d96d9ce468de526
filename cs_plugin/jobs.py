"""Work too long for a request: put in a transaction, claimed under a lease, told how far it is."""
