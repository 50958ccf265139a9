"""A stack that is hurt, scaled, stopped, dumped and restored while events flow through it."""
