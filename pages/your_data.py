"""Choose a table file, and train on its columns."""

from gradnorm.ui import session
from gradnorm.ui.your_data.page import your_data

session.restore()
your_data()
session.write_address()
