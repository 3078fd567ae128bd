"""The files of a model directory: `files` reads them with limits, `tensors` gives arrays by name from safetensors."""
