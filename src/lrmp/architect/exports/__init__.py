"""Designs as others take them: policies, tables, configurations, quantised ONNX files."""
