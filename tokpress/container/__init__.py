"""The .tokp container: frames one after another (docs/format.md). No models are known here.

frames      headers and payloads, written and read        varint     numbers, pieces and sizes
lzma2       payloads that lzma packs                      salvage    the intact frames of a damaged file
"""
