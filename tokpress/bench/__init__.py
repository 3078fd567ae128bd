"""tokpress beside other compressors: same files, same run, every decode compared with its source.

peers     one class per compressor, and how it is run as a process of its own
child     the process that codes one file once
launch    starts that process, and tells its time and its peak memory
measure   rows: one codec on one file; totals over files
report    rows as a table, as JSON, as a plot
"""
