"""The views of the page Run: first `summary`, then one module for each view or two; `outcome` is a package beside."""
