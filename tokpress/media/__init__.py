"""Media files: how pictures, sound and video lie in a file.

formats/    files of raw samples: where the samples are         grid        layout of the samples in a source
unwrap      coded pictures and sound as files of raw samples    video       frames of a video
depth, recordings, metadata    what a header says of its samples              signatures   first bytes of files
memory_limits                  memory a file may ask for                     distortion   PSNR and SNR
"""
