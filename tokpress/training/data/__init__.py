"""Training data.

corpus     files and folders, read in chunks        images, sound, video, samples   files of pictures and recordings
tokenize   tokens, packed into files                crops     items that a tokenizer trains on
streams    batches of packed tokens                 cells     items of one stage of a hierarchy
"""
