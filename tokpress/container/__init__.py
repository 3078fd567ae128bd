"""The .tokp container: frames one after another (docs/format.md). No models are known here.

frames      headers and payloads, written and read        varint     numbers, pieces and sizes
member      the frames of one source, in their order      digest     of the source of a member
short       frames of small sources with a context        salvage    the intact frames of a damaged file
lzma2       payloads that lzma packs                      proportion   least payload of a number of tokens
index       the headers of a file, in a file of its own
"""
