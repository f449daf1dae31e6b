"""changgu (창구): the single telephone window of a service desk."""

__version__ = "0.1.0"
