"""The page at /: search titles, build a taste, see the list change, add items, look at the server.

static/    plain HTML, CSS and JavaScript modules, served as they are
routes     GET / and GET /page/FILE
"""
