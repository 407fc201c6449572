"""What protects patients: secure aggregation, the privacy ledger, suppression of small cells, record linkage."""
