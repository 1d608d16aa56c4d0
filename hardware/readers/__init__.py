"""Networks of others: PyTorch modules and ONNX files."""
