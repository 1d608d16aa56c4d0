"""Workers: processes that lease jobs and do them in a process of their own with limits."""
