"""What happens without a person: sensors, schedules, and the end of orphaned runs."""
