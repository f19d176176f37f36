"""The report of a study: what was asked, what was tried, what was found, with its pictures.

blocks.py     what a report is made of: headings, paragraphs, tables, pictures
journal.py    each attempt beside the best before it, told in prose or in a table
question.py   the question and the short answer
handmade.py   report A's figures, beside the study that repeats its rows
page.py       all parts in order
words.py      numbers and names as prose has them
write.py      a report to its file
html.py       as one HTML file
markdown.py   as Markdown, with its pictures in a folder beside
predictions.py  a trial's kept weights, and what they say of each validation image
pictures/     the pictures, as PNG
"""
