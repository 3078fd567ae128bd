"""Discrete autoencoders: an item becomes indices, and the indices become a lossy reconstruction.

autoencoder   what they share                  tiled   a source larger than an item, in tiles
vq, fsq, lfq, gumbel, vqgan                    bottlenecks of pictures
titok, multiscale, video_lfq, audio_rvq        other shapes of codes, video, sound
"""
