"""The federation between real hospitals: certificates, kits, approvals, the server's two doors, the node."""
