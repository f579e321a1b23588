"""Collection: what SDKs send becomes records of the log, and nothing acknowledged is lost."""
