"""python -m tokpress.cli"""

from . import process

if __name__ == "__main__":
    process()
