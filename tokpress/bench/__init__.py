"""Measure tokpress beside other compressors, on the same files. Each result is compared with its source.

peers     one class per compressor, with the command that runs it in a process of its own
child     the process that codes one file
launch    starts that process and measures its time and peak memory
measure   rows (one codec on one file) and totals over files
report    rows as a table, as JSON, as a plot
labels    places for the labels of a plot
"""
