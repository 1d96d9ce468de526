"""Real servers for what talks to servers: each starts when the first test asks for it and is ended after the last."""
