"""Figures of runs and maps, and the colours of tasks. Without torch and Streamlit."""
