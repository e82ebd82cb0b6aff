"""For those who run gunicorn themselves: ``gunicorn -c deploy/gunicorn.conf.py``.

Everything is said by the same GATEWAY_* variables as for ``gateway serve``, which runs gunicorn with just
these options. Add yours below; SIGHUP reads this file, the settings and the credentials again.
"""

from gateway import server

globals().update(server.options())

# worker_tmp_dir = "/dev/shm"  # where /tmp is on a slow disk: workers touch a file there every second
# accesslog = "-"              # a line a request; it holds the query, where a sender may put its key
