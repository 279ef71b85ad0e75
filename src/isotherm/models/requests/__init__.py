"""How a model is asked and answers: ids become rows and histories, scores become lists and frames of ids.

ids              ids as callers give them: lists, columns, one id; matched with the model's
histories        checked CSR blocks of click histories
requested        the users or histories to answer, as rows
item_filter      which items may be shown
catalogue        what is known of the items: ids, titles, numbers of clicks
scores           scores of histories, popular items for empty ones; scores of pairs
recommendations  the k best items of each requested history
answers          the same as arrays, for a server
blocks           the same a block of users at a time
similar          the nearest items or users
explanation      why a user is shown an item; explanation_text says it in sentences
"""
