"""Sharing between providers: STIX 2.1 and OCSF out, STIX indicators in."""
