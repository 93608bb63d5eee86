"""Charts: what a task looks like everywhere. No torch, no Streamlit."""
