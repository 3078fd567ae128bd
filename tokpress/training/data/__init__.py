"""Training data: files and folders (`corpus`), pictures, sound, video and items of them, tokens packed into files (`tokenize`) and read in
batches (`streams`), `cells` of items for the stages of a hierarchy."""
