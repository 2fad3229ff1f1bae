"""HTTP: the doors. A view reads its link and form, makes one call into `core`, and answers."""
