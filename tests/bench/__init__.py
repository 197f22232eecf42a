"""The engines the tests run on: Docker Engine and, where no registry answers, local images of every store."""
