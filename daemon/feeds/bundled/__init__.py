"""Daily prices that come with the daemon; ORIGIN.md says where each file is from."""
