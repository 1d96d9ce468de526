"""A mailbox, mail by mail, to the desk."""
