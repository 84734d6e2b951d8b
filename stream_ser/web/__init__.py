"""The dashboard page: plain modules, markup and style that a browser runs as they lie here, and what serves them."""
