"""tokpress inside other libraries, each registered as that library wants. Nothing here is imported by `import tokpress`.

numcodecs   a codec, found by its entry point         fsspec       `register()`: files *.tokp of fsspec, pandas, Dask, pyarrow
zarr        a codec of Zarr v3, by its entry point    smart_open   `register()`: the same for smart_open
settings    what both codecs keep in metadata         shutil       `register()`: archives *.tar.tokp
arrays      an array as the source of a .tokp file
"""
