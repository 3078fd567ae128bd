"""The files of a model directory: `files` reads them with limits, `tensors` has the arrays of safetensors files, `settings` checks values."""
