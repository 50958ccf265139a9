"""The command line without any server: verdicts on files, views from snapshots, processes that die and start again."""
