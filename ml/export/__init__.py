"""From the weights of a SAM 2.1 model to ONNX files, and the proof that both answer alike; needs torch and `sam2`."""
