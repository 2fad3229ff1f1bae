"""What only `preference-center demo` serves: a company, its readers, and one reader's inbox."""
