"""The worker: `flask cs work` delivers mail, does jobs and clears up, beside the web processes and without them."""
