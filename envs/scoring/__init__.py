"""What a design is worth: running totals, outcomes, rewards, and what agents see."""
