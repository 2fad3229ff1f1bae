"""Will a received message of yours get its one-click button? Judged without a database."""
