"""What an architect brings, a network and a chip, and takes away: a design that was checked."""
