"""What happens without a person: sensors, schedules, conditions, and the end of orphaned runs."""
