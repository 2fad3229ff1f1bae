"""What mail systems call."""
