"""What a developer runs through the Makefile; nothing here is installed with the package."""
