"""python -m tokpress.cli"""

from . import main

main()
