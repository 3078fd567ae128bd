"""The priors of the autoregressive lecture, one file each (docs/lecture.md).

one dimension     histogram, logistic_mixture               Bayes nets     bayes_net
networks          network (what they share), made, causal_conv, wavenet, lstm, pixelcnn, gated_pixelcnn, transformer,
                  sparse_transformer, linear_attention, ssm
several stages    hierarchical, next_scale, encoder_decoder
"""
