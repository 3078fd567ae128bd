"""What files hold: pictures, sound, video.

formats/    files of raw samples: where the samples are         grid        how samples lie in a source
unwrap      coded pictures and sound as files of raw samples    video       frames of a video
depth, recordings, metadata    what a file says of its samples and beside them       signatures   what files begin with
memory_limits                  how much a small file may ask for                     distortion   PSNR and SNR
"""
