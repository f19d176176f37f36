"""Pictures of a study, as PNG bytes, all in one style.

style.py       colours, fonts and sizes
names.py       class names in letters that a font has
curves.py      loss and accuracy per epoch: of one trial, of all
course.py      accuracy by trial, and the best up to there
cost.py        accuracy against parameters and against seconds
parameters.py  importances, parallel coordinates, slices
confusion.py   the confusion matrix, the most wrong images
compared.py    networks that were compared: accuracy against cost
"""
