"""Tokenizers of bytes and text: `bytes` (also nibbles and bits), `chars`, `words` (`listed` is what both share), `bpe`.

Byte pairs: `bpe` is the tokenizer, `bpe_form` the tokenizer.json it accepts, `bpe_import` turns others into that form, `pieces` says how bytes
are cut, `merges` defines merging."""
