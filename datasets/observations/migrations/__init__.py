"""How a store of any earlier revision becomes one of today; run by `schema.upgrade` when a store is opened."""
