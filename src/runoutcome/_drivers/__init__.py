"""The loops that carry effects out, for one run or many, sync and async."""
