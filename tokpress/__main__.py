"""python -m tokpress"""

from tokpress.cli import main

if __name__ == "__main__":
    main()
