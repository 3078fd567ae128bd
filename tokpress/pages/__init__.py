"""Pages to look at: self-contained HTML, in one file, without network.

document    one page of a body, data and a script, so that no content of a file becomes markup or a script
views       what a page shows of samples: a picture and its bits, a waveform and its bits
page.css    colours of the light and the dark scheme, and the layout
score.js    draws the data of `tokpress score --html`
"""
