"""python -m tokpress"""

from tokpress.cli import process

if __name__ == "__main__":
    process()
