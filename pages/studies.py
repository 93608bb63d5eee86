"""Groups of runs that answer one question: start one, watch it, read what it says."""

from gradnorm.ui import session
from gradnorm.ui.studies.page import studies_page

session.restore()
studies_page()
