"""One file for each step of the lesson, with the name of its text: a `TRIAL` each."""
