"""Learn tokenizers and priors from a corpus: `run` goes from files to a model directory.

data/   corpora and batches      nets/   torch twins of the exact networks      loop/   optimisation and checkpoints
options, presets, sizes   settings          run_dir    the folder of a run      evaluate   bits on held-out data
card    README.md of a model                export     a model out of a checkpoint
"""
