"""Where accuracy is measured: quantised torch networks on real images, and the tables from it."""
