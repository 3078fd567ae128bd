"""The exactness rule (docs/exactness.md): operations whose result is the same on every machine.

kernels     the integer product           ops         rows: quantise, normalise, softmax
attention, recurrent, masks, logistics    parts of networks      orders      scan orders
guard*      test modes that reject other operations              threads     how many a frame may use
"""
