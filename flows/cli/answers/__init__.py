"""A question's answer: made in a process without rights, and written as text or file."""
