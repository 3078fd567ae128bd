"""Networks as torch modules: the same arithmetic as `tokpress.exact`, with gradients."""
