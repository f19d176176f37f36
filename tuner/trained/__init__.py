"""Trained weights put to use.

network.py   a file of weights as a network with its preprocessing
predict.py   what it says of image files
program.py   the same as a file that PyTorch runs without this package
kept.py      the weights that a search kept of a trial, as such a file
"""
