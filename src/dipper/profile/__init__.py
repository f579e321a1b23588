"""Who a subject is and what is known of it: identity, tags, segments, consents, holdings, caps."""
