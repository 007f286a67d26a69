"""What confines a worker: system calls in the order in which they must come, and a report of which took hold.

Nothing here imports a library that could start a thread: Landlock and seccomp bind the calling
thread and what it starts later, so all of this runs before anything else is imported.
"""
