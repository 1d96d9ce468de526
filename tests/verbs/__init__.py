"""All that befalls threads, as steps that can be drawn in any order, and all that is kept of them worked out a second way."""
