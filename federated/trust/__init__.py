"""What coordinator and hospital share: agreements, identities, kits and hash-chained journals."""
