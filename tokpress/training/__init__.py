"""Learn tokenizers and priors from a corpus: `run` goes from files to a model directory.

data/       corpora and batches             nets/      torch twins of the exact networks
loop/       steps and checkpoints           learners/  how each tokenizer and prior learns
options, presets, sizes   settings          prepare    corpus → tokenizer → token files
run_dir     the folder of a run             evaluate   bits on held-out data
card        README.md of a model            export     a model from a checkpoint
"""
