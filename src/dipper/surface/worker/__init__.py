"""The worker process: projects the log into state and lake, fires ticks, trains, erases."""
