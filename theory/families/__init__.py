"""One file a family; a file added here is found without any other edit."""
