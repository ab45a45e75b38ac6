"""Fuzzing of everything that reads untrusted bytes: `make fuzz` at length, `test_fuzz.py` for some seconds.

A *target* turns a number into an input, always the same, and checks what the program makes of an input: the
outcome is either right or one of the errors meant for users. `limited` runs a range of numbers in a process
with bounds of memory and time, so that a run can be split, resumed and repeated. `corpus` holds one small
input for every outcome that has been seen; mutations start from these.
"""
