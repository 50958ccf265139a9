"""Queries about relays for the public: the registry, health, probes and documents.

Relays that only the operator's network reaches are left out, and so are denied ones. Texts that tell what this host met
stay out, too: errors may name its addresses and proxies, and relays repeat the address that asks them.
"""
