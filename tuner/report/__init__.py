"""The report of a study: what was asked, what was tried, what was found, with its pictures.

blocks.py     what a report is made of: headings, paragraphs, tables, pictures
answer.py     the first page: the question, its answer, how sure it is
certainty.py  the interval of the best trial's value
question.py   the question, and how it was searched
attempts.py   each finished trial beside the best before it
telling.py    an attempt in sentences
mistakes.py   what the figures of a step by hand show to have been a mistake
journal.py    all attempts in order
front.py      the front of accuracy against a cost
figures.py    the best trial, all trials, the hyper-parameters: pictures with what they show
errs.py       where the best trial errs
handmade.py   report A's figures, beside the study that repeats its rows
page.py       all parts in order
language.py   how a report speaks; languages/ has a file for each
words.py      networks and storages as prose and commands have them
write.py      a report to its file
html.py       as one HTML file
markdown.py   as Markdown, with its pictures in a folder beside
predictions.py  a trial's kept weights, and what they say of each validation image
pictures/     the pictures, as PNG
"""
