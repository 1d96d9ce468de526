"""Small stores that the tests mount the desk on."""
