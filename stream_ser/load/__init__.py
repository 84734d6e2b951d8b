"""Calls and subscribers for the call server, as many as one wants: what it carries on this machine. ``make load`` runs it."""
