"""What a designer turns, layer by layer: knobs, design spaces, designs."""
