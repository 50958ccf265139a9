"""The seeder: a list of relays that an archive begins with, published once per content."""
