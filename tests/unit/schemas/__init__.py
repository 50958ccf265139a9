"""Tests of the contract's pure functions."""
