"""The pages that links open. They use no cookies and no scripts."""
