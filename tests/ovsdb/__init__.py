"""What the proofs of the database share: random schemas and transactions, servers to drive, replies to compare."""
