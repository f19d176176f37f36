"""Trained weights put to use.

network.py   a file of weights as a network with its preprocessing
predict.py   what it says of image files
kept.py      the weights that a search kept of a trial, as such a file
"""
