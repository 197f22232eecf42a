"""SOPS, and the tree of Flux in a Git checkout, with the real programs and no cluster."""
