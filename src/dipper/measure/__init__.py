"""What it brought: funnel, life cycle, confirmation, value, evaluation. Pure over what was read."""
