"""A Kubernetes cluster of one real node, from packages: nothing of it is installed, `down` leaves no trace."""
