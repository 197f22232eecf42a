"""Whole playbooks against the cluster of the bench, whose node is this machine."""
