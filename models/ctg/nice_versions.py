"""Versions of the NICE table that an installation chooses from."""

AMENDED, ORIGINAL = "amended", "2022"
NICE_VERSIONS = (AMENDED, ORIGINAL)
