"""The HTTP service of one gallery: enrol, search, name, hide and erase, by any client.

`application.create_app` builds it; `http_server` runs it. `guards` stand before every request,
`routes` answer, `bodies` are what goes in and out. Needs the extra `serve`.
"""
