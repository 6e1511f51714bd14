"""The graph: nodes, how they are built and checked, the values of one run, the passes."""
