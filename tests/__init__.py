"""The tests: a file a module, journeys, pages in a browser, real servers."""
