"""The documentation that is made from the code: the reference of all settings, and the site. Start in reference.py.

Nothing in the lab imports it but the command `lab docs`.
"""
