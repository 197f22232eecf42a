"""Whole playbooks on real engines, run as a user would. Molecule's scenario `default` starts these files."""
