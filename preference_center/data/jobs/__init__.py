"""Run the exports and imports that members of staff start in the console, as the commands do."""
