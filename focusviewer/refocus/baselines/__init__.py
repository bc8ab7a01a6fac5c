"""What the refocusing engines are compared with in the tables of ``evaluate``; the window does not offer them."""
