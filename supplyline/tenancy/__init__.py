"""Who owns what: names, the organizations' databases and roles, and the proof of isolation."""
