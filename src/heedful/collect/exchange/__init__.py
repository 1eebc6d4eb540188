"""What leaves a project as records and files, and what comes into it from elsewhere."""
