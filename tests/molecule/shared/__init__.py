"""An instance in the stack of an application: the scenario `compose-shared`."""
