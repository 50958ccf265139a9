"""Small documents over HTTP from servers that are not trusted: public addresses only, within bytes and time."""
