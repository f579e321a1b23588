"""The languages of the SDKs. Each module declares what its clients send and what they must hear."""
