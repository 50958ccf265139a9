"""The whole stack with the profile demo, which shows what it is without being hurt."""
