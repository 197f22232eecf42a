"""A stand-in for Flux's source-controller, none of whose versions can be built from its Go module.

It fetches what GitRepository, HelmRepository, HelmChart and OCIRepository name, with git and over HTTP, and serves it as artifacts.
Beside them it serves a shelf: repositories and charts that tests put there.
"""

NAME = "stand-in for source-controller"
