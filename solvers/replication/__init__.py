"""The best copies for given settings: an exact method, a batch of it, and an OR-Tools ILP."""
