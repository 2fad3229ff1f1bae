"""The WSGI application, for any WSGI server: `gunicorn wsgi:app`."""

from config import settings_from_environment
from preference_center import create_app
from preference_center.util import logs

logs.configure()
app = create_app(settings_from_environment())
