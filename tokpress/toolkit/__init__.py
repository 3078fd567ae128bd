"""Tokenizers from Python: what `tokpress.tokenizers` offers beside the contract.

values       text, arrays and pictures as the bytes that a tokenizer takes, and back
processor    `Processor`: encode and decode all of these, one or many; `Encoding`: tokens with their place in the source
hugging_face a tokenizer.json that gives the same ids in the library `tokenizers`
functions    load and train
"""
