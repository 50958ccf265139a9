"""What the embedded servers are made of, without starting one."""
