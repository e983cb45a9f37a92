"""Tell operations and people: how parcels stand, their alerts, and an outbox of news, all in one transaction."""
