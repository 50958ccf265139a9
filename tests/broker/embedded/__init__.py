"""The embedded servers for real: started, killed and started again."""
