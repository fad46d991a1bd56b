# The version of Lifeboat. The number stands nowhere else.
__version__ = "0.1.0"
