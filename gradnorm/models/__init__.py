"""Networks with a trunk, a last shared layer and one head a task."""
