"""Between the window and the rooms below: jobs, what they bring back, what is shown of it."""
