"""A broker as one of one's own would be: with TLS, certificates of clients, and SCRAM."""
