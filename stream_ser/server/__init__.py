"""The call server: who may enter, how much, and with which settings. Import the module that is needed."""
