"""What several benches need; nothing here measures anything by itself."""
