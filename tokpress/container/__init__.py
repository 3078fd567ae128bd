"""The .tokp container: frames one after another (docs/format.md). No models are known here.

frames      headers and payloads, written and read        varint     numbers, pieces and sizes
digest      of the source of several frames               salvage    the intact frames of a damaged file
lzma2       payloads that lzma packs                      proportion   least payload of a number of tokens
"""
