"""Tokenizers of bytes and text: `bytes` (also nibbles and bits), `chars`, `words` (`listed` is what both share), `bpe`.

Byte pairs: `bpe` is the tokenizer, `bpe_form` the tokenizer.json it accepts, `byte_pairs` its use without other libraries,
`pieces` how bytes are cut, `merges` the definition of merging."""
