"""Settings of the learners, apart: whoever asks what there is to set waits for no torch."""
