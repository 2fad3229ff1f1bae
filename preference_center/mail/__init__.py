"""Parse email: MIME, bounces, complaints, DKIM signatures. No database, no HTTP server."""
