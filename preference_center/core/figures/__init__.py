"""The figures of the console's pages, read from the daily counts. They name no subscriber."""
