"""The application that `preference-center demo` serves: a company, its readers and an inbox."""
