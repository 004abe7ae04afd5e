"""The parts of the page Compare: controls, views, the verdict, fairness warnings, and the report."""
